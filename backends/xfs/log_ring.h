#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/log_format.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// One record of the log. Numbers are basic blocks.
struct LogRecord {
  uint32_t block = 0;  // where it begins
  uint32_t header_blocks = 0;
  uint32_t body_blocks = 0;
  DiskLogRecordHeader header = {};

  uint32_t blocks() const { return header_blocks + body_blocks; }
  uint64_t lsn() const { return header.lsn.get(); }
};

// The log as a ring of basic blocks (512 bytes), and the records in it, wherever they wrap. A view
// of the device: cheap to copy, safe for concurrent use.
class LogRing {
 public:
  // What a record's checksum says of it. mkfs.xfs, and Linux before version 3.8, leave it out.
  enum class Checksum { kRight, kAbsent, kWrong };

  // The log inside the file system. Needs Superblock::log_start != 0. DataLoss when it cannot be
  // viewed.
  static absl::StatusOr<LogRing> Open(const Volume& volume);

  uint32_t block_count() const { return block_count_; }
  // The block of the ring that `block`, perhaps past its end, is.
  uint32_t Wrap(uint64_t block) const { return static_cast<uint32_t>(block % block_count_); }
  // How many blocks lie from `begin` up to `end`.
  uint32_t Distance(uint32_t begin, uint32_t end) const {
    return Wrap(uint64_t{end} + block_count_ - begin);
  }

  uint32_t CycleOf(uint32_t block) const;
  // Brings the head of a block near, if there is such a block.
  void Prefetch(uint32_t block) const {
    if (block < block_count_) {
      __builtin_prefetch(BlockAt(block));
    }
  }
  bool BeginsRecord(uint32_t block) const;

  // The record that begins at `block`, which BeginsRecord. DataLoss when its header contradicts
  // itself, or is of another file system.
  absl::StatusOr<LogRecord> ParseRecord(uint32_t block) const;
  // The last record that begins in front of `head`, at most `blocks` in front of it.
  absl::StatusOr<LogRecord> LastRecordBefore(uint32_t head, uint32_t blocks) const;
  // Where the first record begins of those in [begin, head); `head` when there is none.
  uint32_t FirstRecordFrom(uint32_t begin, uint32_t head) const;

  Checksum ChecksumOf(const LogRecord& record) const;
  // What its checksum should be.
  uint32_t ComputeChecksum(const LogRecord& record) const;

  // The operations of the record: its body, with what the cycle numbers had replaced put back.
  std::vector<std::byte> BodyOf(const LogRecord& record) const;

  const std::byte* BlockAt(uint32_t block) const {
    return bytes_.data() + size_t{block} * kBasicBlockSize;
  }

 private:
  LogRing(const Superblock& superblock, absl::Span<const std::byte> bytes);

  uint32_t ChecksumWith(const LogRecord& record, size_t header_bytes) const;

  const Superblock* superblock_;
  absl::Span<const std::byte> bytes_;
  uint32_t block_count_;
};

// The error for a log that cannot be what a working machine wrote.
absl::Status DamagedLog(absl::string_view what);

}  // namespace iomap::xfs
