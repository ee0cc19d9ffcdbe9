#include "backends/xfs/log_transaction.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

template <typename... What>
absl::Status Damaged(uint32_t transaction, const What&... what) {
  return DamagedLog(
      absl::StrCat("transaction ", absl::Hex(transaction, absl::kZeroPad8), ": ", what...));
}

void Append(std::vector<std::byte>& to, absl::Span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// The start of a region of `transaction`.
absl::Status BeginRegion(LogTransaction& transaction, absl::Span<const std::byte> region) {
  std::vector<LogItem>& items = transaction.items;
  if (items.empty() || items.back().regions.size() == items.back().region_count) {
    if (region.size() < kLogItemHeadBytes) {
      return Damaged(transaction.id, "an item that begins with ", region.size(), " bytes");
    }
    const uint32_t count = backends::Load<Le16>(region.data() + sizeof(Le16));
    if (count == 0 || count > kMostRegionsInItem) {
      return Damaged(transaction.id, "an item of ", count, " regions, from 1 to ",
                     kMostRegionsInItem);
    }
    items.push_back(LogItem{.region_count = count});
  }
  items.back().regions.emplace_back(region.begin(), region.end());
  return absl::OkStatus();
}

}  // namespace

LogItemType LogItem::type() const {
  return static_cast<LogItemType>(backends::Load<Le16>(regions.front().data()));
}

absl::Status TransactionAssembler::Add(const LogRecord& record, absl::Span<const std::byte> body,
                                       Committed committed) {
  size_t place = 0;
  const uint32_t count = record.header.operation_count.get();
  for (uint32_t i = 0; i < count && place < body.size(); ++i) {
    if (body.size() - place < sizeof(DiskLogOperation)) {
      return DamagedLog(
          absl::StrCat("record at block ", record.block, ": operation ", i, " is cut off"));
    }
    const auto operation = backends::CopyOut<DiskLogOperation>(body.data() + place);
    place += sizeof operation;
    const size_t bytes = operation.bytes.get();
    const bool known =
        operation.client == kLogClientTransaction || operation.client == kLogClientLog;
    if (!known || bytes > body.size() - place) {
      return DamagedLog(absl::StrCat("record at block ", record.block, ": operation ", i,
                                     " of client ", operation.client, ", ", bytes, " bytes, ",
                                     body.size() - place, " are left"));
    }
    IOMAP_RETURN_IF_ERROR(AddOperation(record, operation, body.subspan(place, bytes), committed));
    place += bytes;
  }
  return absl::OkStatus();
}

absl::Status TransactionAssembler::AddOperation(const LogRecord& record,
                                                const DiskLogOperation& operation,
                                                absl::Span<const std::byte> region,
                                                Committed committed) {
  const uint32_t id = operation.transaction.get();
  const auto found = open_.find(id);
  if (found == open_.end()) {
    // What belongs to no transaction that has begun here belongs to one from before the tail, or is
    // the mark of an unmount.
    if ((operation.flags & kLogStartFlag) != 0) {
      open_[id].transaction = LogTransaction{.id = id, .lsn = record.lsn()};
    }
    return absl::OkStatus();
  }
  uint8_t flags = operation.flags & ~kLogEndFlag;
  if ((flags & kLogWasContinuedFlag) != 0) {
    flags &= ~kLogContinueFlag;
  }
  OpenTransaction& open = found->second;
  LogTransaction& transaction = open.transaction;
  switch (flags) {
    case 0:
    case kLogContinueFlag:
    case kLogWasContinuedFlag: {
      if (region.empty()) {
        return absl::OkStatus();
      }
      if (open.header.size() < sizeof(DiskTransactionHeader)) {
        Append(open.header, region);
        const bool whole = open.header.size() >= sizeof(DiskTransactionHeader);
        if (open.header.size() > sizeof(DiskTransactionHeader) ||
            (whole && backends::Load<Le32>(open.header.data()) != kTransactionMagic)) {
          return Damaged(id, "it does not begin with its header");
        }
        return absl::OkStatus();
      }
      if (flags != kLogWasContinuedFlag) {
        return BeginRegion(transaction, region);
      }
      if (transaction.items.empty()) {
        return Damaged(id, "it goes on with a region that has not begun");
      }
      Append(transaction.items.back().regions.back(), region);
      return absl::OkStatus();
    }
    case kLogCommitFlag: {
      LogTransaction whole = std::move(transaction);
      open_.erase(found);
      if (!whole.items.empty()) {
        const LogItem& last = whole.items.back();
        if (last.regions.size() < last.region_count) {
          return Damaged(id, "its last item has ", last.regions.size(), " regions of ",
                         last.region_count);
        }
      }
      return committed(std::move(whole));
    }
    case kLogUnmountFlag:
      open_.erase(found);
      return absl::OkStatus();
    default:
      return Damaged(id, "an operation with flags ", absl::Hex(operation.flags));
  }
}

}  // namespace iomap::xfs
