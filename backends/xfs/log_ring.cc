#include "backends/xfs/log_ring.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

// Record checksums cover the header up to here; 32-bit x86 kernels have stopped four bytes earlier.
constexpr size_t kChecksummedHeaderBytes = 328;
constexpr size_t kChecksummedHeaderBytesX86 = 324;

constexpr uint32_t kCyclesPerHeader = kLogBytesPerHeader / kBasicBlockSize;

template <typename... What>
absl::Status Damaged(uint32_t block, const What&... what) {
  return DamagedLog(absl::StrCat("record at block ", block, ": ", what...));
}

uint32_t RoundUpDivide(uint32_t number, uint32_t divisor) {
  return number / divisor + (number % divisor != 0 ? 1 : 0);
}

}  // namespace

absl::Status DamagedLog(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("xfs log: ", what));
}

absl::StatusOr<LogRing> LogRing::Open(const Volume& volume) {
  const Superblock& superblock = volume.superblock;
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes,
                         volume.ViewBlocks(superblock.log_start, superblock.log_blocks));
  return LogRing(superblock, bytes);
}

LogRing::LogRing(const Superblock& superblock, absl::Span<const std::byte> bytes)
    : superblock_(&superblock),
      bytes_(bytes),
      block_count_(static_cast<uint32_t>(bytes.size() / kBasicBlockSize)) {}

bool LogRing::BeginsRecord(uint32_t block) const {
  return backends::Load<Be32>(BlockAt(block)) == kLogRecordMagic;
}

uint32_t LogRing::CycleOf(uint32_t block) const {
  return backends::Load<Be32>(BlockAt(block) + (BeginsRecord(block) ? sizeof(uint32_t) : 0));
}

absl::StatusOr<LogRecord> LogRing::ParseRecord(uint32_t block) const {
  LogRecord record{.block = block,
                   .header = backends::CopyOut<DiskLogRecordHeader>(BlockAt(block))};
  const DiskLogRecordHeader& header = record.header;
  const uint32_t version = header.version.get();
  if (version != 1 && version != kLogVersion2) {
    return Damaged(block, "version ", version);
  }
  if (header.uuid != Uuid{} && header.uuid != superblock_->uuid) {
    return Damaged(block, "it carries the UUID of another file system");
  }
  const uint32_t buffer_bytes = version == kLogVersion2 ? header.buffer_bytes.get() : 0;
  const uint32_t body_bytes = header.body_bytes.get();
  if (body_bytes > kMostLogRecordBytes || buffer_bytes > kMostLogRecordBytes) {
    return Damaged(block, body_bytes, " bytes, in a buffer of ", buffer_bytes);
  }
  record.header_blocks = std::max<uint32_t>(1, RoundUpDivide(buffer_bytes, kLogBytesPerHeader));
  record.body_blocks = RoundUpDivide(body_bytes, kBasicBlockSize);
  if (record.body_blocks > record.header_blocks * kCyclesPerHeader) {
    return Damaged(block, body_bytes, " bytes, behind ", record.header_blocks, " header blocks");
  }
  if (record.blocks() > block_count_) {
    return Damaged(block, "longer than the log");
  }
  return record;
}

absl::StatusOr<LogRecord> LogRing::LastRecordBefore(uint32_t head, uint32_t blocks) const {
  for (uint32_t back = 1; back <= std::min(blocks, block_count_); ++back) {
    const uint32_t block = Wrap(uint64_t{head} + block_count_ - back);
    if (BeginsRecord(block)) {
      return ParseRecord(block);
    }
  }
  return DamagedLog(absl::StrCat("no record in front of block ", head));
}

uint32_t LogRing::FirstRecordFrom(uint32_t begin, uint32_t head) const {
  while (begin != head && !BeginsRecord(begin)) {
    begin = Wrap(uint64_t{begin} + 1);
  }
  return begin;
}

uint32_t LogRing::ChecksumWith(const LogRecord& record, size_t header_bytes) const {
  constexpr size_t kCrcOffset = offsetof(DiskLogRecordHeader, crc);
  const uint32_t body_bytes = record.header.body_bytes.get();
  const absl::Span<const std::byte> header(BlockAt(record.block), header_bytes);
  uint32_t crc = backends::ExtendCrc32c(~uint32_t{0}, header.first(kCrcOffset));
  crc = backends::ExtendCrc32cByZeros(crc, sizeof crc);
  crc = backends::ExtendCrc32c(crc, header.subspan(kCrcOffset + sizeof crc));
  // Only those further header blocks that the body needs, not all that there are.
  const uint32_t needed = RoundUpDivide(body_bytes, kLogBytesPerHeader);
  for (uint32_t i = 1; i < std::min(needed, record.header_blocks); ++i) {
    crc = backends::ExtendCrc32c(crc, absl::MakeConstSpan(BlockAt(Wrap(uint64_t{record.block} + i)),
                                                          sizeof(DiskLogExtendedHeader)));
  }
  for (uint32_t done = 0; done < body_bytes; done += kBasicBlockSize) {
    const uint64_t block = uint64_t{record.block} + record.header_blocks + done / kBasicBlockSize;
    crc = backends::ExtendCrc32c(
        crc,
        absl::MakeConstSpan(BlockAt(Wrap(block)), std::min(body_bytes - done, kBasicBlockSize)));
  }
  return ~crc;
}

uint32_t LogRing::ComputeChecksum(const LogRecord& record) const {
  return ChecksumWith(record, kChecksummedHeaderBytes);
}

LogRing::Checksum LogRing::ChecksumOf(const LogRecord& record) const {
  const uint32_t stored = record.header.crc.get();
  if (stored == 0) {
    return Checksum::kAbsent;
  }
  const bool right = stored == ComputeChecksum(record) ||
                     stored == ChecksumWith(record, kChecksummedHeaderBytesX86);
  return right ? Checksum::kRight : Checksum::kWrong;
}

std::vector<std::byte> LogRing::BodyOf(const LogRecord& record) const {
  std::vector<std::byte> body(size_t{record.body_blocks} * kBasicBlockSize);
  for (uint32_t i = 0; i < record.body_blocks; ++i) {
    std::byte* const out = body.data() + size_t{i} * kBasicBlockSize;
    const uint64_t block = uint64_t{record.block} + record.header_blocks + i;
    std::memcpy(out, BlockAt(Wrap(block)), kBasicBlockSize);
    const uint32_t header = i / kCyclesPerHeader;
    const size_t cycles = header == 0 ? offsetof(DiskLogRecordHeader, cycle_data)
                                      : offsetof(DiskLogExtendedHeader, cycle_data);
    std::memcpy(out,
                BlockAt(Wrap(uint64_t{record.block} + header)) + cycles +
                    size_t{i % kCyclesPerHeader} * sizeof(Be32),
                sizeof(Be32));
  }
  body.resize(record.header.body_bytes.get());
  return body;
}

}  // namespace iomap::xfs
