#include "backends/xfs/log_inode.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/xfs/log_buffer.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

template <typename... What>
absl::Status Damaged(const LogInode& logged, const What&... what) {
  return DamagedLog(absl::StrCat("inode ", logged.number, ": ", what...));
}

// 32-bit machines do not align the inode's number: what they have in front of it is the same.
DiskLogInodeItem Widen(const std::vector<std::byte>& region) {
  constexpr size_t kFront = offsetof(DiskLogInodeItem, padding);
  constexpr size_t kBehind = offsetof(DiskLogInodeItem, inode);
  DiskLogInodeItem wide = {};
  std::byte* const bytes = reinterpret_cast<std::byte*>(&wide);
  std::memcpy(bytes, region.data(), kFront);
  std::memcpy(bytes + kBehind, region.data() + kFront, sizeof wide - kBehind);
  return wide;
}

absl::Status ParsePlace(const Superblock& superblock, const DiskLogInodeItem& disk,
                        LogInode& logged) {
  IOMAP_ASSIGN_OR_RETURN(logged.place,
                         CheckBufferPlace(disk.block_number.get(), disk.block_count.get()));
  logged.buffer_offset = disk.buffer_offset.get();
  const uint32_t bytes = logged.place.block_count * kBasicBlockSize;
  if (bytes < superblock.inode_size || logged.buffer_offset % superblock.inode_size != 0 ||
      logged.buffer_offset > bytes - superblock.inode_size) {
    return Damaged(logged, "it lies at byte ", logged.buffer_offset, " of a buffer of ", bytes);
  }
  return absl::OkStatus();
}

absl::Status ParseCore(const Superblock& superblock, const std::vector<std::byte>& region,
                       LogInode& logged) {
  const size_t wanted =
      superblock.is_v5() ? sizeof(DiskLogInode) : offsetof(DiskLogInode, next_unlinked);
  if (region.size() != wanted) {
    return Damaged(logged, "a core of ", region.size(), " bytes, not ", wanted);
  }
  std::memcpy(&logged.core, region.data(), wanted);
  if (logged.core.magic.get() != kInodeMagic) {
    return Damaged(logged, "magic number ", absl::Hex(logged.core.magic.get(), absl::kZeroPad4));
  }
  const uint8_t version = logged.core.version;
  if (superblock.is_v5() ? version != 3 : version != 1 && version != 2) {
    return Damaged(logged, "version ", version);
  }
  return absl::OkStatus();
}

// The seconds and nanoseconds of the older form are two numbers in the writer's order, the
// nanoseconds of the newer one are one.
void CopyTime(const uint8_t (&logged)[8], bool bigtime, Be64& disk) {
  const std::byte* const bytes = reinterpret_cast<const std::byte*>(logged);
  if (bigtime) {
    disk.set(backends::Load<Le64>(bytes));
    return;
  }
  disk.set(uint64_t{backends::Load<Le32>(bytes)} << 32 |
           backends::Load<Le32>(bytes + sizeof(Le32)));
}

void CopyVersion3(const DiskLogInode& logged, uint64_t lsn, DiskInode& disk) {
  disk.change_count.set(logged.change_count.get());
  disk.lsn.set(lsn);
  disk.flags2.set(logged.flags2.get());
  disk.cow_extent_size_hint.set(logged.cow_extent_size_hint.get());
  std::memset(disk.padding, 0, sizeof disk.padding);
  CopyTime(logged.creation_time, (logged.flags2.get() & kInodeFlag2Bigtime) != 0,
           disk.creation_time);
  disk.inode_number.set(logged.inode_number.get());
  disk.uuid = logged.uuid;
}

}  // namespace

absl::StatusOr<LogInode> ParseLogInode(const Superblock& superblock, const LogItem& item) {
  const std::vector<std::byte>& region = item.regions.front();
  if (region.size() != sizeof(DiskLogInodeItem) && region.size() != kLogInodeItemBytesX86) {
    return DamagedLog(absl::StrCat("an inode item of ", region.size(), " bytes"));
  }
  const DiskLogInodeItem disk = region.size() == kLogInodeItemBytesX86
                                    ? Widen(region)
                                    : backends::CopyOut<DiskLogInodeItem>(region.data());
  LogInode logged{
      .number = disk.inode.get(), .fields = disk.fields.get(), .device = disk.device.get()};
  IOMAP_RETURN_IF_ERROR(ParsePlace(superblock, disk, logged));
  const bool has_data = (logged.fields & kLogInodeDataFork) != 0 && item.regions.size() > 2;
  const size_t attribute_region = has_data ? 3 : 2;
  const bool has_attributes = (logged.fields & kLogInodeAttributeFork) != 0;
  if (item.regions.size() < 2 || item.regions.size() > 4 ||
      (item.regions.size() > 2 && has_attributes && item.regions.size() <= attribute_region)) {
    return Damaged(logged, item.regions.size(), " regions for fields ", absl::Hex(logged.fields));
  }
  IOMAP_RETURN_IF_ERROR(ParseCore(superblock, item.regions[1], logged));
  if (has_data) {
    logged.data_fork = item.regions[2];
  }
  if (has_attributes && item.regions.size() > attribute_region) {
    logged.attribute_fork = item.regions[attribute_region];
  }
  return logged;
}

void CopyInodeCore(const LogInode& logged, uint64_t lsn, DiskInode& disk) {
  const DiskLogInode& core = logged.core;
  const uint64_t flags2 = logged.is_v3() ? core.flags2.get() : 0;
  disk.magic.set(core.magic.get());
  disk.mode.set(core.mode.get());
  disk.version = core.version;
  disk.format = core.format;
  disk.link_count_v1.set(core.version == 1 ? core.link_count_v1.get() : 0);
  disk.uid.set(core.uid.get());
  disk.gid.set(core.gid.get());
  disk.link_count.set(core.link_count.get());
  disk.project_low.set(core.project_low.get());
  disk.project_high.set(core.project_high.get());
  // Versions 1 and 2 have the flush iteration here, which begins anew.
  disk.big_extent_count.set((flags2 & kInodeFlag2Nrext64) != 0 ? core.big_extent_count.get() : 0);
  const bool bigtime = (flags2 & kInodeFlag2Bigtime) != 0;
  CopyTime(core.access_time, bigtime, disk.access_time);
  CopyTime(core.modification_time, bigtime, disk.modification_time);
  CopyTime(core.change_time, bigtime, disk.change_time);
  disk.size.set(core.size.get());
  disk.block_count.set(core.block_count.get());
  disk.extent_size_hint.set(core.extent_size_hint.get());
  disk.extent_count.set(core.extent_count.get());
  disk.attribute_extent_count.set(core.attribute_extent_count.get());
  disk.fork_offset = core.fork_offset;
  disk.attribute_format = core.attribute_format;
  disk.dm_event_mask.set(core.dm_event_mask.get());
  disk.dm_state.set(core.dm_state.get());
  disk.flags.set(core.flags.get());
  disk.generation.set(core.generation.get());
  if (logged.is_v3()) {
    CopyVersion3(core, lsn, disk);
  }
}

}  // namespace iomap::xfs
