#include "backends/xfs/log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint32_t kMostHeaderBlocks = kMostLogRecordBytes / kLogBytesPerHeader;
constexpr uint32_t kMostRecordBlocks = kMostHeaderBlocks + kMostLogRecordBytes / kBasicBlockSize;

// Records that were on their way together when the machine stopped may have left holes so far
// behind the head.
constexpr uint32_t kMostBlocksInFlight =
    kMostLogRecordsInFlight * (kMostLogRecordBytes / kBasicBlockSize);

template <typename... What>
absl::Status Damaged(const LogRecord& record, const What&... what) {
  return DamagedLog(absl::StrCat("record at block ", record.block, ": ", what...));
}

// How far a scan asks for blocks ahead of their use: two pages, for the processor does not by
// itself.
constexpr uint32_t kPrefetchedBlocks = 16;

}  // namespace

absl::StatusOr<Log> Log::Open(const Volume& volume) {
  IOMAP_ASSIGN_OR_RETURN(const LogRing ring, LogRing::Open(volume));
  return Log(ring);
}

std::optional<uint32_t> Log::FirstOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const {
  for (uint32_t block = begin; block < end; ++block) {
    ring_.Prefetch(block + kPrefetchedBlocks);
    if (ring_.CycleOf(block) == cycle) {
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
    (ring_.CycleOf(middle) == cycle ? first : other) = middle;
  }
  return first;
}

uint32_t Log::HeadOfPartlyWrittenLog() const {
  const uint32_t head = StartOfCycle(0, ring_.block_count(), 0);
  return FirstOfCycle(head - std::min(head, kMostBlocksInFlight), head, 0).value_or(head);
}

uint32_t Log::HeadByCycles() const {
  const uint32_t first_cycle = ring_.CycleOf(0);
  const uint32_t last_cycle = ring_.CycleOf(ring_.block_count() - 1);
  const bool one_cycle = first_cycle == last_cycle;
  const uint32_t head =
      one_cycle ? ring_.block_count() : StartOfCycle(0, ring_.block_count(), last_cycle);
  // A block in front of the head that still has the cycle before is a write that never arrived: the
  // head is there. The cycle before that of the log's beginning is, at its end, one less again.
  const uint32_t older_cycle = one_cycle ? last_cycle - 1 : last_cycle;
  const uint32_t window = std::min(ring_.block_count(), kMostBlocksInFlight);
  if (head >= window) {
    return FirstOfCycle(head - window, head, older_cycle).value_or(head);
  }
  const uint32_t wrapped_begin = ring_.block_count() - (window - head);
  if (const auto found = FirstOfCycle(wrapped_begin, ring_.block_count(), older_cycle - 1)) {
    return *found;
  }
  return FirstOfCycle(0, head, older_cycle).value_or(head);
}

absl::StatusOr<uint32_t> Log::CutIncompleteRecord(uint32_t head) const {
  IOMAP_ASSIGN_OR_RETURN(const LogRecord last, ring_.LastRecordBefore(head, kMostRecordBlocks));
  return ring_.Distance(last.block, head) == ring_.Wrap(last.blocks()) ? head : last.block;
}

uint32_t Log::CutTornRecords(const LogRecord& last, uint32_t head) const {
  const uint32_t tail = ring_.Wrap(last.header.tail_lsn.get() & 0xFFFFFFFF);
  uint32_t first = last.block;
  uint32_t block = first;
  for (uint32_t records = 1; records < kMostLogRecordsInFlight && block != tail && block != head;) {
    block = ring_.Wrap(uint64_t{block} + ring_.block_count() - 1);
    if (ring_.BeginsRecord(block)) {
      first = block;
      ++records;
    }
  }
  block = first;
  while (block != head) {
    const absl::StatusOr<LogRecord> record = CheckRecord(block, head);
    if (!record.ok()) {
      return block;
    }
    block = ring_.Wrap(uint64_t{block} + record->blocks());
  }
  return head;
}

bool Log::IsUnmountRecord(const LogRecord& record, uint32_t head) const {
  const uint64_t body = uint64_t{record.block} + record.header_blocks;
  if (record.body_blocks == 0 || record.header.operation_count.get() != 1 ||
      ring_.Wrap(body + record.body_blocks) != head) {
    return false;
  }
  const auto operation = backends::CopyOut<DiskLogOperation>(ring_.BlockAt(ring_.Wrap(body)));
  return (operation.flags & kLogUnmountFlag) != 0;
}

// The record that a recovery would read at `block`.
absl::StatusOr<LogRecord> Log::CheckRecord(uint32_t block, uint32_t head) const {
  if (!ring_.BeginsRecord(block)) {
    return DamagedLog(absl::StrCat("no record begins at block ", block));
  }
  IOMAP_ASSIGN_OR_RETURN(LogRecord record, ring_.ParseRecord(block));
  if (record.body_blocks == 0) {
    return Damaged(record, "it is empty");
  }
  if (record.blocks() > ring_.Distance(block, head)) {
    return Damaged(record, "its ", record.blocks(), " blocks pass the head, block ", head);
  }
  if (ring_.ChecksumOf(record) == LogRing::Checksum::kWrong) {
    return Damaged(record, "checksum is wrong");
  }
  return record;
}

absl::StatusOr<uint32_t> Log::FirstWholeRecord(uint32_t tail, uint32_t head,
                                               uint32_t buffer_blocks) const {
  uint32_t first = ring_.FirstRecordFrom(tail, head);
  uint32_t block = first;
  while (block != head) {
    const absl::StatusOr<LogRecord> record = CheckRecord(block, head);
    if (record.ok()) {
      block = ring_.Wrap(uint64_t{block} + record->blocks());
      continue;
    }
    // In a full log, the records that were in flight may have overwritten what the last whole one
    // still takes for the tail. All that was there is on the medium.
    if (ring_.Distance(head, block) > kMostLogRecordsInFlight * buffer_blocks) {
      return record.status();
    }
    first = ring_.FirstRecordFrom(ring_.Wrap(uint64_t{block} + 1), head);
    block = first;
  }
  return first;
}

absl::StatusOr<Log::State> Log::FindState() const {
  if (ring_.CycleOf(0) == 0) {
    return State{.clean = true};  // never written
  }
  uint32_t head =
      ring_.CycleOf(ring_.block_count() - 1) == 0 ? HeadOfPartlyWrittenLog() : HeadByCycles();
  IOMAP_ASSIGN_OR_RETURN(head, CutIncompleteRecord(head));
  head = ring_.Wrap(head);
  IOMAP_ASSIGN_OR_RETURN(LogRecord last, ring_.LastRecordBefore(head, ring_.block_count()));
  if (!IsUnmountRecord(last, head)) {
    head = CutTornRecords(last, head);
    IOMAP_ASSIGN_OR_RETURN(last, ring_.LastRecordBefore(head, ring_.block_count()));
  }
  if (IsUnmountRecord(last, head)) {
    return State{.clean = true, .head = head, .tail = head};
  }
  const uint32_t tail = static_cast<uint32_t>(last.header.tail_lsn.get());
  if (tail >= ring_.block_count()) {
    return Damaged(last, "its tail is block ", tail, " of ", ring_.block_count());
  }
  const uint32_t buffer_blocks = last.header_blocks * (kLogBytesPerHeader / kBasicBlockSize);
  IOMAP_ASSIGN_OR_RETURN(const uint32_t first, FirstWholeRecord(tail, head, buffer_blocks));
  if (first == head) {
    return Damaged(last, "no record from its tail, block ", tail, ", on");
  }
  return State{.clean = false, .head = head, .tail = first};
}

absl::Status Log::ForEachRecord(const State& state,
                                absl::FunctionRef<absl::Status(const LogRecord&)> visit) const {
  uint32_t block = state.tail;
  while (block != state.head) {
    IOMAP_ASSIGN_OR_RETURN(const LogRecord record, CheckRecord(block, state.head));
    IOMAP_RETURN_IF_ERROR(visit(record));
    block = ring_.Wrap(uint64_t{block} + record.blocks());
  }
  return absl::OkStatus();
}

}  // namespace iomap::xfs
