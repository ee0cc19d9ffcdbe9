#include "backends/xfs/log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

// Record checksums cover the header up to here; 32-bit x86 kernels have stopped four bytes earlier.
constexpr size_t kChecksummedHeaderBytes = 328;
constexpr size_t kChecksummedHeaderBytesX86 = 324;

constexpr uint32_t kMostHeaderBlocks = kMostLogRecordBytes / kLogBytesPerHeader;
constexpr uint32_t kMostRecordBlocks = kMostHeaderBlocks + kMostLogRecordBytes / kBasicBlockSize;

// Records that were on their way together when the machine stopped may have left holes so far
// behind the head.
constexpr uint32_t kMostBlocksInFlight =
    kMostLogRecordsInFlight * (kMostLogRecordBytes / kBasicBlockSize);

template <typename... What>
absl::Status Damaged(const What&... what) {
  return absl::DataLossError(absl::StrCat("xfs log: ", what...));
}

uint32_t BlocksOf(uint32_t bytes) {
  return bytes / kBasicBlockSize + (bytes % kBasicBlockSize != 0 ? 1 : 0);
}

}  // namespace

absl::StatusOr<Log> Log::Open(const Volume& volume) {
  const Superblock& superblock = volume.superblock;
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes,
                         volume.ViewBlocks(superblock.log_start, superblock.log_blocks));
  return Log(superblock, bytes);
}

Log::Log(const Superblock& superblock, absl::Span<const std::byte> bytes)
    : superblock_(superblock),
      bytes_(bytes),
      block_count_(static_cast<uint32_t>(bytes.size() / kBasicBlockSize)) {}

bool Log::BeginsRecord(uint32_t block) const {
  return backends::Load<Be32>(BlockAt(block)) == kLogRecordMagic;
}

uint32_t Log::CycleOf(uint32_t block) const {
  return backends::Load<Be32>(BlockAt(block) + (BeginsRecord(block) ? sizeof(uint32_t) : 0));
}

std::optional<uint32_t> Log::FirstOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const {
  for (uint32_t block = begin; block < end; ++block) {
    if (CycleOf(block) == cycle) {
      return block;
    }
  }
  return std::nullopt;
}

uint32_t Log::StartOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const {
  uint32_t other = begin;    // has not this cycle
  uint32_t first = end - 1;  // has it
  while (first - other > 1) {
    const uint32_t middle = other + (first - other) / 2;
    (CycleOf(middle) == cycle ? first : other) = middle;
  }
  return first;
}

uint32_t Log::HeadOfPartlyWrittenLog() const {
  const uint32_t head = StartOfCycle(0, block_count_, 0);
  return FirstOfCycle(head - std::min(head, kMostBlocksInFlight), head, 0).value_or(head);
}

uint32_t Log::HeadByCycles() const {
  const uint32_t first_cycle = CycleOf(0);
  const uint32_t last_cycle = CycleOf(block_count_ - 1);
  const bool one_cycle = first_cycle == last_cycle;
  const uint32_t head = one_cycle ? block_count_ : StartOfCycle(0, block_count_, last_cycle);
  // A block in front of the head that still has the cycle before is a write that never arrived: the
  // head is there. The cycle before that of the log's beginning is, at its end, one less again.
  const uint32_t older_cycle = one_cycle ? last_cycle - 1 : last_cycle;
  const uint32_t window = std::min(block_count_, kMostBlocksInFlight);
  if (head >= window) {
    return FirstOfCycle(head - window, head, older_cycle).value_or(head);
  }
  const uint32_t wrapped_begin = block_count_ - (window - head);
  if (const auto found = FirstOfCycle(wrapped_begin, block_count_, older_cycle - 1)) {
    return *found;
  }
  return FirstOfCycle(0, head, older_cycle).value_or(head);
}

absl::StatusOr<Log::Record> Log::ParseRecord(uint32_t block) const {
  Record record{.block = block, .header = backends::CopyOut<DiskLogRecordHeader>(BlockAt(block))};
  const DiskLogRecordHeader& header = record.header;
  const uint32_t version = header.version.get();
  if (version != 1 && version != kLogVersion2) {
    return Damaged("record at block ", block, ": version ", version);
  }
  if (header.uuid != Uuid{} && header.uuid != superblock_.uuid) {
    return Damaged("record at block ", block, ": it carries the UUID of another file system");
  }
  const uint32_t buffer_bytes = version == kLogVersion2 ? header.buffer_bytes.get() : 0;
  if (header.body_bytes.get() > kMostLogRecordBytes || buffer_bytes > kMostLogRecordBytes) {
    return Damaged("record at block ", block, ": ", header.body_bytes.get(),
                   " bytes, in a buffer of ", buffer_bytes);
  }
  record.header_blocks =
      std::max<uint32_t>(1, (buffer_bytes + kLogBytesPerHeader - 1) / kLogBytesPerHeader);
  record.body_blocks = BlocksOf(header.body_bytes.get());
  if (record.header_blocks + record.body_blocks > block_count_) {
    return Damaged("record at block ", block, ": longer than the log");
  }
  return record;
}

absl::StatusOr<Log::Record> Log::LastRecordBefore(uint32_t head, uint32_t blocks) const {
  for (uint32_t back = 1; back <= std::min(blocks, block_count_); ++back) {
    const uint32_t block = Wrap(uint64_t{head} + block_count_ - back);
    if (BeginsRecord(block)) {
      return ParseRecord(block);
    }
  }
  return Damaged("no record in front of block ", head);
}

absl::StatusOr<uint32_t> Log::CutIncompleteRecord(uint32_t head) const {
  IOMAP_ASSIGN_OR_RETURN(const Record last, LastRecordBefore(head, kMostRecordBlocks));
  const uint32_t distance = Wrap(uint64_t{head} + block_count_ - last.block);
  return distance == Wrap(last.header_blocks + last.body_blocks) ? head : last.block;
}

bool Log::RecordChecksumMatches(const Record& record) const {
  const uint32_t stored = record.header.crc.get();
  if (stored == 0) {
    return true;  // mkfs.xfs leaves it out
  }
  const uint32_t body_bytes = record.header.body_bytes.get();
  const auto checksum = [&](size_t header_bytes) {
    constexpr size_t kCrcOffset = offsetof(DiskLogRecordHeader, crc);
    const absl::Span<const std::byte> header(BlockAt(record.block), header_bytes);
    uint32_t crc = backends::ExtendCrc32c(~uint32_t{0}, header.first(kCrcOffset));
    crc = backends::ExtendCrc32cByZeros(crc, sizeof crc);
    crc = backends::ExtendCrc32c(crc, header.subspan(kCrcOffset + sizeof crc));
    // Only those further header blocks that the body needs, not all that there are.
    const uint32_t needed = (body_bytes + kLogBytesPerHeader - 1) / kLogBytesPerHeader;
    for (uint32_t i = 1; i < std::min(needed, record.header_blocks); ++i) {
      crc =
          backends::ExtendCrc32c(crc, absl::MakeConstSpan(BlockAt(Wrap(uint64_t{record.block} + i)),
                                                          sizeof(DiskLogExtendedHeader)));
    }
    for (uint32_t done = 0; done < body_bytes; done += kBasicBlockSize) {
      const uint64_t block = uint64_t{record.block} + record.header_blocks + done / kBasicBlockSize;
      crc = backends::ExtendCrc32c(
          crc,
          absl::MakeConstSpan(BlockAt(Wrap(block)), std::min(body_bytes - done, kBasicBlockSize)));
    }
    return ~crc;
  };
  return stored == checksum(kChecksummedHeaderBytes) ||
         stored == checksum(kChecksummedHeaderBytesX86);
}

absl::StatusOr<uint32_t> Log::CutTornRecords(uint32_t head) const {
  uint32_t cut = head;
  uint32_t next = head;
  uint32_t tail = head;
  for (uint32_t i = 0; i < kMostLogRecordsInFlight; ++i) {
    const absl::StatusOr<Record> record = LastRecordBefore(next, block_count_);
    if (!record.ok()) {
      break;  // no older one can be judged; those that were are enough
    }
    if (i == 0) {
      tail = static_cast<uint32_t>(record->header.tail_lsn.get());
    }
    if (!RecordChecksumMatches(*record)) {
      cut = record->block;
    }
    next = record->block;
    if (next == tail) {
      break;
    }
  }
  return cut;
}

bool Log::IsUnmountRecord(const Record& record, uint32_t head) const {
  const uint64_t body = uint64_t{record.block} + record.header_blocks;
  if (record.body_blocks == 0 || record.header.operation_count.get() != 1 ||
      Wrap(body + record.body_blocks) != head) {
    return false;
  }
  const auto operation = backends::CopyOut<DiskLogOperation>(BlockAt(Wrap(body)));
  return (operation.flags & kLogUnmountFlag) != 0;
}

absl::StatusOr<Log::State> Log::FindState() const {
  if (CycleOf(0) == 0) {
    return State{.clean = true};  // never written
  }
  uint32_t head = CycleOf(block_count_ - 1) == 0 ? HeadOfPartlyWrittenLog() : HeadByCycles();
  IOMAP_ASSIGN_OR_RETURN(head, CutIncompleteRecord(head));
  head = Wrap(head);
  IOMAP_ASSIGN_OR_RETURN(Record last, LastRecordBefore(head, block_count_));
  if (!IsUnmountRecord(last, head)) {
    IOMAP_ASSIGN_OR_RETURN(head, CutTornRecords(head));
    IOMAP_ASSIGN_OR_RETURN(last, LastRecordBefore(head, block_count_));
  }
  if (IsUnmountRecord(last, head)) {
    return State{.clean = true, .head = head, .tail = head};
  }
  const uint32_t tail = static_cast<uint32_t>(last.header.tail_lsn.get());
  if (tail >= block_count_) {
    return Damaged("record at block ", last.block, ": its tail is block ", tail, " of ",
                   block_count_);
  }
  return State{.clean = false, .head = head, .tail = tail};
}

}  // namespace iomap::xfs
