#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/volume.h"
#include "backends/log_format.h"
#include "iomap/mutex.h"

namespace iomap::ext4 {

// The log of jbd2, for the transaction engine: its buffers are blocks of the file system, its unit
// is blocks of the journal. Descriptor, copies (escaped), revoke and commit blocks around a ring,
// with any of the checksums that the journal has.
//
// The order of stores within a line is what keeps a log readable on byte-addressable memory, where
// a crash keeps any prefix of it (and where a superblock's checksum and what it covers are in
// different lines):
//   * the tail, {s_sequence, s_start}, moves by one aligned store of 8 bytes;
//   * a commit block is zeros until the body is durable; then its first line is stored, magic and
//     type last;
//   * the first line of a transaction's first block is stored with it, not with the body. Recovery
//     does not walk a body that may be torn: an older commit block of the ring, under a copy that
//     is half there, can look like a new one.
class JournalWriter : public backends::LogFormat {
 public:
  // What becomes of the journal's own checksums.
  enum class Checksums {
    // Given up while the journal is written, by one store, since its superblock could be torn
    // between a number and the checksum of it. Linux switches them on again at its next mount.
    kDrop,
    // Kept. For devices that write 512 bytes at once.
    kKeep,
  };

  // Makes an empty journal ready for its first transaction, durably. FailedPrecondition when it
  // holds something; DataLoss when a part of it is a hole. `volume` outlives the writer.
  static absl::StatusOr<std::unique_ptr<JournalWriter>> Open(Volume& volume, Checksums checksums);

  // The number of the first transaction.
  backends::Sequence first_sequence() const { return first_sequence_; }

  uint64_t size() const override;
  uint64_t SpaceFor(const backends::Credits& credits) const override;
  absl::Status WriteBody(backends::Sequence sequence,
                         absl::Span<const backends::BufferImage> images,
                         absl::Span<const backends::Buffer> cancelled) override;
  absl::Status WriteCommitRecord(backends::Sequence sequence) override;
  absl::Status MoveTail(backends::Sequence oldest) override;

  // Says, durably, that there is nothing to recover: once all is in place.
  absl::Status MarkEmpty(backends::Sequence next);

 private:
  struct Start {
    backends::Sequence sequence;
    uint32_t block;
  };

  JournalWriter(Volume& volume, Journal journal);

  size_t TagsPerDescriptor() const;
  size_t RevokesPerBlock() const;
  uint32_t Advance();  // the block of the ring that is written next
  // The bytes of a descriptor or revoke block that are not its checksum.
  size_t SpaceOfBlock() const;
  std::vector<std::byte> NewBlock(uint32_t type, backends::Sequence sequence) const;
  absl::StatusOr<uint64_t> AddressOf(uint32_t index) const;  // of a block of the journal, in bytes
  absl::Status StoreAndFlush(uint64_t address, absl::Span<const std::byte> bytes);
  absl::Status WriteBlock(uint32_t index, absl::Span<const std::byte> bytes);
  // A descriptor or revoke block: completes its checksum. All but its first line when it is the
  // transaction's first block.
  absl::Status WriteControlBlock(uint32_t index, std::vector<std::byte>& block);
  // A line that makes what is behind it count, from its end to its head.
  absl::Status StoreLine(uint64_t address, absl::Span<const std::byte> line);
  absl::Status WriteRevokes(backends::Sequence sequence,
                            absl::Span<const backends::Buffer> buffers);
  absl::Status WriteCopies(backends::Sequence sequence,
                           absl::Span<const backends::BufferImage> images);
  absl::Status PutTail(uint32_t sequence, uint32_t start) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PutSuperblock(absl::Span<const std::byte> bytes);

  Volume& volume_;
  const Journal journal_;
  JournalSuperblock superblock_;  // as it is written: perhaps without checksums
  backends::Sequence first_sequence_ = 0;
  uint32_t transaction_checksum_ = ~0u;  // checksum version 1, of the body that was written
  uint32_t commit_block_ = 0;            // of that body
  uint64_t first_line_address_ = 0;      // of that body; 0: the commit block is its first
  std::vector<std::byte> first_line_;
  uint64_t last_commit_seconds_ = 0;

  Mutex mutex_{LockRank::kLeaf};
  uint32_t head_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the transactions that may still be needed, in order.
  std::deque<Start> starts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace iomap::ext4
