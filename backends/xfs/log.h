#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/log_format.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// The log as it lies on the medium: which part of the ring is in use. All numbers are basic blocks
// (512 bytes) of the log. Immutable; safe for concurrent use. Source: the log chapter of "XFS
// Algorithms & Data Structures", and what Linux's recovery does where that says nothing.
class Log {
 public:
  // What a recovery would have to look at: the records from `tail` up to `head`, where the next
  // record would be written.
  struct State {
    bool clean =
        false;  // nothing to recover: the last record says that the file system was unmounted
    uint32_t head = 0;
    uint32_t tail = 0;
  };

  // One record.
  struct Record {
    uint32_t block = 0;  // where it begins
    uint32_t header_blocks = 0;
    uint32_t body_blocks = 0;
    DiskLogRecordHeader header;
  };

  // The log inside the file system. Needs Superblock::log_start != 0. DataLoss when it cannot be
  // viewed.
  static absl::StatusOr<Log> Open(const Volume& volume);

  // Finds head and tail. Records at the head that were torn by a crash, which their checksums tell,
  // do not count. DataLoss when the log contradicts itself.
  absl::StatusOr<State> FindState() const;

  uint32_t block_count() const { return block_count_; }

 private:
  Log(const Superblock& superblock, absl::Span<const std::byte> bytes);

  const std::byte* BlockAt(uint32_t block) const {
    return bytes_.data() + size_t{block} * kBasicBlockSize;
  }
  uint32_t Wrap(uint64_t block) const { return static_cast<uint32_t>(block % block_count_); }
  uint32_t CycleOf(uint32_t block) const;
  bool BeginsRecord(uint32_t block) const;

  // The first block in [begin, end) whose cycle is `cycle`.
  std::optional<uint32_t> FirstOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const;
  // The first block in [begin, end) of those at its end that have cycle `cycle`; the last one has
  // it and the first has not. Found by halving.
  uint32_t StartOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const;
  uint32_t HeadOfPartlyWrittenLog() const;
  uint32_t HeadByCycles() const;
  // Where the last record in front of `head` begins, if `head` lies inside it; else `head`.
  absl::StatusOr<uint32_t> CutIncompleteRecord(uint32_t head) const;
  // The last record that begins in front of `head`, at most `blocks` in front of it.
  absl::StatusOr<Record> LastRecordBefore(uint32_t head, uint32_t blocks) const;
  absl::StatusOr<Record> ParseRecord(uint32_t block) const;
  bool RecordChecksumMatches(const Record& record) const;
  absl::StatusOr<uint32_t> CutTornRecords(uint32_t head) const;
  bool IsUnmountRecord(const Record& record, uint32_t head) const;

  const Superblock& superblock_;
  const absl::Span<const std::byte> bytes_;
  const uint32_t block_count_;
};

}  // namespace iomap::xfs
