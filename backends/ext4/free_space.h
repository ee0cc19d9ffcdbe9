#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/buffer.h"
#include "backends/ext4/group.h"
#include "backends/ext4/volume.h"
#include "backends/transaction_engine.h"
#include "iomap/mutex.h"

namespace iomap::ext4 {

// Blocks in a row.
struct BlockRun {
  uint64_t start = 0;
  uint64_t length = 0;

  uint64_t end() const { return start + length; }
};

// The free blocks of a file system that is written: bitmaps and descriptors on the medium, which
// transactions change, and what they cannot tell, in memory: blocks that are set aside for a write,
// and blocks whose freeing is not durable yet, which nobody gets before it is.
//
// A group is looked at when it is first needed. Groups whose bitmap is damaged are passed over, as
// Linux does. Not for bigalloc. Safe for concurrent use.
class FreeSpace {
 public:
  // Reads the descriptors. `volume` and `engine` outlive it. `kept_free`: blocks that are not given
  // out (those reserved for root). DataLoss.
  static absl::StatusOr<std::unique_ptr<FreeSpace>> Open(const Volume& volume,
                                                         backends::TransactionEngine& engine,
                                                         uint64_t kept_free);

  // Sets blocks aside, at least one and at most `wanted`, in memory alone: from `goal` on where
  // that is free, else as many in a row as can be found, close to it. A run stays inside a group.
  // ResourceExhausted when none is free.
  absl::StatusOr<BlockRun> Reserve(uint64_t goal, uint64_t wanted);
  // Gives back what was set aside and not allocated.
  void Unreserve(const BlockRun& run);

  // What Allocate and Free take of a handle for a run inside one group.
  backends::Credits CreditsOfRun() const;

  // Blocks that were set aside, in one group, are in use. DataLoss, with nothing changed, when the
  // group says otherwise.
  absl::Status Allocate(backends::Handle& handle, const BlockRun& run);
  // Blocks in use, in one group, are free, and are given out once that is durable. DataLoss, with
  // nothing changed, when they are not in use, or are the file system's own.
  absl::Status Free(backends::Handle& handle, const BlockRun& run);

  // Splits a run at the borders of groups.
  std::vector<BlockRun> ByGroup(const BlockRun& run) const;

  // Blocks that can be given out.
  uint64_t available() const;

 private:
  struct GroupState {
    Mutex mutex{LockRank::kGroup};
    Group descriptor = {};  // its bitmap's place; not its counts
    bool loaded ABSL_GUARDED_BY(mutex) = false;
    bool usable ABSL_GUARDED_BY(mutex) = true;
    bool has_bitmap ABSL_GUARDED_BY(mutex) = false;  // on the medium
    std::vector<std::byte> unavailable ABSL_GUARDED_BY(mutex) = {};
    uint64_t free ABSL_GUARDED_BY(mutex) = 0;  // clear bits of `unavailable`
    // No run of clear bits is longer.
    uint64_t longest ABSL_GUARDED_BY(mutex) = ~uint64_t{0};
  };

  FreeSpace(const Volume& volume, backends::TransactionEngine& engine, uint64_t kept_free)
      : volume_(volume), engine_(engine), kept_free_(kept_free) {}

  uint64_t GroupOf(uint64_t block) const;
  uint64_t FirstBlock(uint64_t group) const;
  uint64_t BlocksOf(uint64_t group) const;
  bool IsMetadata(const BlockRun& run) const;
  backends::Buffer BufferOf(uint64_t block) const;
  absl::Status Load(uint64_t group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(groups_[group]->mutex);
  std::vector<std::byte> BitmapOfUnusedGroup(uint64_t group) const;
  // The best run of a group, which is set aside; empty when there is none longer than `than`.
  absl::StatusOr<BlockRun> ReserveInGroup(uint64_t group, uint64_t begin, uint64_t wanted,
                                          uint64_t least);
  absl::Status Change(backends::Handle& handle, const BlockRun& run, bool in_use);

  const Volume& volume_;
  backends::TransactionEngine& engine_;
  const uint64_t kept_free_;
  std::vector<std::unique_ptr<GroupState>> groups_;
  std::vector<BlockRun> metadata_;  // ascending, apart from each other
  std::atomic<uint64_t> free_ = 0;
};

}  // namespace iomap::ext4
