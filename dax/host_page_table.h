#pragma once

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/page_table.h"
#include "dax/userfault.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// A page table of this process: one range of addresses, pieces of which are mapped to where the
// file's bytes lie, so that loads and stores are the processor's own. Stores to mapped pages are
// noted by the kernel, with no fault that anybody sees. What is not mapped faults, and whoever
// reads the faults (NextFault) resolves them and wakes the thread.
//
// Every piece is made elsewhere, protected, and moved into place in one step, so that no store
// gets past it; and a piece that goes is frozen first: its pages have to be looked up again, which
// waits for the reader of faults, so that what was stored to it can be taken with no store missed.
//
// Not inherited by a child of fork(2): its accesses end in SIGSEGV.
class HostPageTable final : public PageTable {
 public:
  // Reserves addresses for `bytes` bytes of a file, from its beginning on. Unavailable where the
  // kernel, or the user's rights, lack what is needed.
  static absl::StatusOr<std::unique_ptr<HostPageTable>> Make(uint64_t bytes,
                                                             Userfault::Faults faults);
  // No thread may touch the addresses any more.
  ~HostPageTable() override;

  std::byte* address() const { return reinterpret_cast<std::byte*>(base_); }
  uint64_t size() const { return size_; }

  // ResourceExhausted when more pieces would be needed than the system allows a process.
  // FailedPrecondition when the device cannot be mapped.
  absl::Status Map(const ByteRange& pages, Device& device, uint64_t address,
                   Access access) override;
  absl::Status MapZeroes(const ByteRange& pages) override;
  // Maps those of `pages` for stores that are not mapped.
  absl::Status MapUnmapped(const ByteRange& pages, Device& device, uint64_t address);
  void Unmap(const ByteRange& pages) override;
  void WriteProtect(const ByteRange& /*pages*/) override {}
  bool wants_huge_pages() const override { return false; }
  bool notes_stores() const override { return true; }
  absl::Status TakeWritten(const ByteRange& pages, Written written) override;
  absl::Status UnmapTakingWritten(const ByteRange& pages, Written written) override;

  // From now on an access to `pages` ends in SIGBUS, until they are unmapped.
  absl::Status Refuse(const ByteRange& pages);

  // What to poll for faults, and the next one: an offset in the file.
  std::array<pollfd, 2> descriptors() const;
  struct Fault {
    uint64_t offset;
    Access access;
  };
  std::optional<Fault> NextFault();
  void Wake(const ByteRange& pages);

  // True for a page that has been unmapped, or was never mapped.
  bool IsUnmapped(uint64_t offset);

 private:
  enum class State : uint8_t { kUnmapped, kZeroes, kReadOnly, kWritable, kRefused };
  // What one piece shows. Pieces follow each other without gaps.
  struct Piece {
    uint64_t length = 0;
    State state = State::kUnmapped;
    Device* device = nullptr;  // of kReadOnly and kWritable
    uint64_t address = 0;
  };
  using Pieces = absl::btree_map<uint64_t, Piece>;

  HostPageTable(uintptr_t base, uint64_t size, std::unique_ptr<Userfault> faults,
                std::unique_ptr<Userfault> stores, std::unique_ptr<Pagemap> pagemap, int empty);

  ByteRange Shown(const ByteRange& pages) const { return pages.Intersect(ByteRange{0, size_}); }
  MemoryRange MemoryOf(const ByteRange& pages) const {
    return {base_ + pages.offset, pages.length};
  }

  // Makes a mapping of `length` bytes like `piece`, somewhere, registered and protected.
  absl::StatusOr<MemoryRange> MakePiece(const Piece& piece);
  absl::Status Put(const ByteRange& pages, Piece piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(const ByteRange& pages, const Piece& piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A boundary between pieces at `offset`.
  void Split(uint64_t offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void JoinWithNext(Pieces::iterator piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Freeze(const ByteRange& pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TakeWrittenLocked(const ByteRange& pages, Written written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Body>
  void ForEachPiece(const ByteRange& pages, Body&& body) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uintptr_t base_;
  const uint64_t size_;
  const std::unique_ptr<Userfault> faults_;  // of pages without bytes, and of read-only ones
  const std::unique_ptr<Userfault> stores_;  // to writable pages
  const std::unique_ptr<Pagemap> pagemap_;
  const int empty_;  // an empty file: pages of it end in SIGBUS

  Mutex mutex_{LockRank::kPageTables};
  Pieces pieces_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace iomap::dax
