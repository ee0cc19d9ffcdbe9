#include "backends/xfs/log_intents.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/xfs/replay_target.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

// What is known of one kind of intent.
struct IntentKind {
  LogItemType intent;
  LogItemType done;
  const char* name;
};

constexpr IntentKind kKinds[] = {
    {LogItemType::kExtentFreeIntent, LogItemType::kExtentFreeDone, "extent free intent"},
    {LogItemType::kReverseMapIntent, LogItemType::kReverseMapDone, "reverse mapping intent"},
    {LogItemType::kRefcountIntent, LogItemType::kRefcountDone, "reference count intent"},
    {LogItemType::kMappingIntent, LogItemType::kMappingDone, "mapping intent"},
    {LogItemType::kAttributeIntent, LogItemType::kAttributeDone, "attribute intent"},
    {LogItemType::kExchangeIntent, LogItemType::kExchangeDone, "exchange intent"},
    // Of the realtime device's own trees, which only metadir has, and that is refused.
    {LogItemType::kRealtimeExtentFreeIntent, LogItemType::kRealtimeExtentFreeDone,
     "realtime extent free intent"},
    {LogItemType::kRealtimeReverseMapIntent, LogItemType::kRealtimeReverseMapDone,
     "realtime reverse mapping intent"},
    {LogItemType::kRealtimeRefcountIntent, LogItemType::kRealtimeRefcountDone,
     "realtime reference count intent"},
};

const IntentKind* KindOf(LogItemType type) {
  for (const IntentKind& kind : kKinds) {
    if (kind.intent == type || kind.done == type) {
      return &kind;
    }
  }
  return nullptr;
}

// The extents behind the head of an intent.
template <typename DiskExtentOfIntent>
absl::StatusOr<std::vector<DiskExtentOfIntent>> ExtentsOf(const IntentKind& kind,
                                                          const std::vector<std::byte>& region) {
  const auto head = backends::CopyOut<DiskLogIntent>(region.data());
  const size_t count = head.extent_count.get();
  if (count > (region.size() - sizeof head) / sizeof(DiskExtentOfIntent)) {
    return DamagedLog(
        absl::StrCat(kind.name, " of ", count, " extents in ", region.size(), " bytes"));
  }
  std::vector<DiskExtentOfIntent> extents;
  for (size_t i = 0; i < count; ++i) {
    extents.push_back(backends::CopyOut<DiskExtentOfIntent>(region.data() + sizeof head +
                                                            i * sizeof(DiskExtentOfIntent)));
  }
  return extents;
}

absl::Status AddShares(const Superblock& superblock, const IntentKind& kind,
                       const std::vector<std::byte>& region, ShareChanges& shares) {
  IOMAP_ASSIGN_OR_RETURN(const std::vector<DiskLogRefcountExtent> extents,
                         ExtentsOf<DiskLogRefcountExtent>(kind, region));
  for (const DiskLogRefcountExtent& extent : extents) {
    const uint64_t block = extent.start_block.get();
    const uint32_t count = extent.block_count.get();
    const uint32_t change = extent.flags.get() & kRefcountChangeMask;
    if (change == kRefcountAllocateStaging || change == kRefcountFreeStaging) {
      continue;  // no file has those blocks
    }
    const bool known = change == kRefcountIncrease || change == kRefcountDecrease;
    if (!known || !superblock.ContainsBlocks(block, count)) {
      return DamagedLog(
          absl::StrCat(kind.name, ": change ", change, " of ", count, " blocks at block ", block));
    }
    shares.Add(block, count, change == kRefcountIncrease ? 1 : -1);
  }
  return absl::OkStatus();
}

absl::Status AddMappings(const IntentKind& kind, const std::vector<std::byte>& region,
                         MappingChanges& mappings) {
  constexpr uint64_t kMostFileBlock = uint64_t{1} << 54;
  constexpr uint64_t kMostStartBlock = uint64_t{1} << 52;
  constexpr uint32_t kMostBlocks = (1 << 21) - 1;  // of one extent
  IOMAP_ASSIGN_OR_RETURN(const std::vector<DiskLogMapExtent> extents,
                         ExtentsOf<DiskLogMapExtent>(kind, region));
  for (const DiskLogMapExtent& extent : extents) {
    const uint32_t flags = extent.flags.get();
    const uint32_t change = flags & kMappingChangeMask;
    const uint32_t count = extent.block_count.get();
    const uint64_t file_block = extent.file_block.get();
    const bool known = change == kMappingMap || change == kMappingUnmap;
    const bool fits = count > 0 && count <= kMostBlocks && file_block < kMostFileBlock &&
                      extent.start_block.get() < kMostStartBlock;
    if (!known || !fits) {
      return DamagedLog(absl::StrCat(kind.name, ": change ", change, " of ", count,
                                     " blocks at block ", file_block, " of inode ",
                                     extent.owner.get()));
    }
    if ((flags & kMappingAttributeFork) != 0) {
      continue;  // attributes are not read
    }
    mappings.Add(extent.owner.get(), {.kind = change == kMappingMap ? MappingChange::Kind::kMap
                                                                    : MappingChange::Kind::kUnmap,
                                      .extent = {.file_block = file_block,
                                                 .start_block = extent.start_block.get(),
                                                 .block_count = count,
                                                 .unwritten = (flags & kMappingUnwritten) != 0}});
  }
  return absl::OkStatus();
}

absl::Status RefuseExchanged(const IntentKind& kind, const std::vector<std::byte>& region,
                             MappingChanges& mappings) {
  if (region.size() < sizeof(DiskLogExchange)) {
    return DamagedLog(absl::StrCat(kind.name, " of ", region.size(), " bytes"));
  }
  const auto disk = backends::CopyOut<DiskLogExchange>(region.data());
  mappings.Refuse(disk.inode1.get(), "an exchange of blocks (XMI)");
  mappings.Refuse(disk.inode2.get(), "an exchange of blocks (XMI)");
  return absl::OkStatus();
}

}  // namespace

bool LogIntents::IsIntentOrDone(LogItemType type) { return KindOf(type) != nullptr; }

absl::Status LogIntents::Add(uint64_t lsn, const LogItem& item) {
  const IntentKind& kind = *KindOf(item.type());
  const std::vector<std::byte>& region = item.regions.front();
  if (region.size() < sizeof(DiskLogIntent)) {
    return DamagedLog(absl::StrCat(kind.name, " of ", region.size(), " bytes"));
  }
  const uint64_t id = backends::CopyOut<DiskLogIntent>(region.data()).id.get();
  if (item.type() == kind.done) {
    open_.erase({kind.intent, id});
  } else {
    open_[{kind.intent, id}] = Intent{next_number_++, lsn, region};
  }
  return absl::OkStatus();
}

absl::StatusOr<UnfinishedChanges> LogIntents::Finish(const ReplayTarget& target,
                                                     const Superblock& superblock) const {
  std::vector<std::pair<LogItemType, const Intent*>> intents;
  for (const auto& [key, intent] : open_) {
    intents.emplace_back(key.first, &intent);
  }
  std::sort(intents.begin(), intents.end(),
            [](const auto& a, const auto& b) { return a.second->number < b.second->number; });
  UnfinishedChanges changes;
  for (const auto& [type, intent] : intents) {
    const IntentKind& kind = *KindOf(type);
    target.Report(intent->lsn, kind.name, {});
    switch (type) {
      case LogItemType::kRefcountIntent:
        IOMAP_RETURN_IF_ERROR(AddShares(superblock, kind, intent->region, changes.shares));
        break;
      case LogItemType::kMappingIntent:
        IOMAP_RETURN_IF_ERROR(AddMappings(kind, intent->region, changes.mappings));
        break;
      case LogItemType::kExchangeIntent:
        IOMAP_RETURN_IF_ERROR(RefuseExchanged(kind, intent->region, changes.mappings));
        break;
      default:
        break;  // blocks that are no file's any more, who owns a block, attributes
    }
  }
  return changes;
}

}  // namespace iomap::xfs
