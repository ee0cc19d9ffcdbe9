#include "backends/xfs/superblock.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/features.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint64_t kLeastAgBytes = uint64_t{1} << 24;
constexpr uint64_t kMostAgBytes = uint64_t{1} << 40;
constexpr uint32_t kMostBlockLog = 16;
constexpr uint32_t kAgHeaderSectors = 4;

template <typename... What>
absl::Status Damaged(const What&... what) {
  return absl::DataLossError(absl::StrCat("xfs superblock: ", what...));
}

// A size in bytes and its logarithm, as the superblock stores both.
absl::Status CheckSize(absl::string_view name, uint32_t size, uint32_t log, uint32_t least,
                       uint32_t most) {
  if (size < least || size > most || !std::has_single_bit(size)) {
    return Damaged(name, " ", size, ", not a power of two from ", least, " to ", most);
  }
  if (log != static_cast<uint32_t>(std::countr_zero(size))) {
    return Damaged(name, " ", size, ", but its logarithm is said to be ", log);
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const DiskSuperblock& disk) {
  IOMAP_RETURN_IF_ERROR(
      CheckSize("block size", disk.block_size.get(), disk.block_log, 512, 1 << kMostBlockLog));
  IOMAP_RETURN_IF_ERROR(
      CheckSize("sector size", disk.sector_size.get(), disk.sector_log, 512, 32768));
  IOMAP_RETURN_IF_ERROR(CheckSize("inode size", disk.inode_size.get(), disk.inode_log, 256, 2048));
  if (disk.inode_log > disk.block_log ||
      disk.inodes_per_block_log != disk.block_log - disk.inode_log ||
      disk.inodes_per_block.get() != 1u << disk.inodes_per_block_log) {
    return Damaged("inodes per block ", disk.inodes_per_block.get(), " (logarithm ",
                   disk.inodes_per_block_log, "), with blocks of ", disk.block_size.get(),
                   " and inodes of ", disk.inode_size.get());
  }
  if (disk.block_log + disk.directory_block_log > kMostBlockLog) {
    return Damaged("directory blocks of 2^", disk.block_log + disk.directory_block_log,
                   " bytes, at most 2^", kMostBlockLog);
  }
  return absl::OkStatus();
}

absl::Status CheckGroups(const Superblock& superblock, const dax::Device& device) {
  const uint64_t blocks = superblock.data_blocks;
  if (blocks > device.size() >> superblock.block_log) {
    return Damaged(blocks, " blocks of ", superblock.block_size, " bytes, but the device ends at ",
                   device.size(), ": truncated, or damaged");
  }
  const uint64_t ag_bytes = uint64_t{superblock.ag_blocks} << superblock.block_log;
  if (ag_bytes < kLeastAgBytes || ag_bytes > kMostAgBytes) {
    return Damaged("allocation groups of ", superblock.ag_blocks, " blocks");
  }
  if (superblock.ag_block_log != std::bit_width(superblock.ag_blocks - 1)) {
    return Damaged("allocation groups of ", superblock.ag_blocks,
                   " blocks, but the logarithm is said to be ", superblock.ag_block_log);
  }
  const uint64_t ag_count = (blocks + superblock.ag_blocks - 1) / superblock.ag_blocks;
  if (ag_count == 0 || superblock.ag_count != ag_count) {
    return Damaged(superblock.ag_count, " allocation groups, for ", blocks, " blocks in groups of ",
                   superblock.ag_blocks);
  }
  const uint64_t header_bytes = uint64_t{kAgHeaderSectors} * superblock.sector_size;
  if (uint64_t{superblock.AgLength(superblock.ag_count - 1)} << superblock.block_log <
      header_bytes) {
    return Damaged("the last allocation group has ", superblock.AgLength(superblock.ag_count - 1),
                   " blocks, too few for its headers");
  }
  return absl::OkStatus();
}

absl::Status CheckPlaces(const Superblock& superblock) {
  if (superblock.realtime_blocks > ByteRange::kMaxOffset >> superblock.block_log) {
    return Damaged(superblock.realtime_blocks, " realtime blocks");
  }
  if (superblock.log_start != 0 &&
      !superblock.ContainsBlocks(superblock.log_start, superblock.log_blocks)) {
    return Damaged("a log of ", superblock.log_blocks, " blocks at fsblock ", superblock.log_start);
  }
  if (!superblock.ContainsInode(superblock.root_inode)) {
    return Damaged("root inode ", superblock.root_inode);
  }
  return absl::OkStatus();
}

Superblock Decode(const DiskSuperblock& disk) {
  Superblock superblock;
  superblock.block_size = disk.block_size.get();
  superblock.block_log = disk.block_log;
  superblock.sector_size = disk.sector_size.get();
  superblock.inode_size = disk.inode_size.get();
  superblock.inode_log = disk.inode_log;
  superblock.inodes_per_block_log = disk.inodes_per_block_log;
  superblock.ag_blocks = disk.ag_blocks.get();
  superblock.ag_block_log = disk.ag_block_log;
  superblock.ag_count = disk.ag_count.get();
  superblock.data_blocks = disk.data_blocks.get();
  superblock.realtime_blocks = disk.realtime_blocks.get();
  superblock.realtime_extents = disk.realtime_extents.get();
  superblock.realtime_extent_blocks = disk.realtime_extent_blocks.get();
  superblock.log_start = disk.log_start.get();
  superblock.log_blocks = disk.log_blocks.get();
  superblock.log_stripe_unit = disk.log_stripe_unit.get();
  superblock.inode_alignment = disk.inode_alignment.get();
  superblock.directory_block_log = disk.directory_block_log;
  superblock.root_inode = disk.root_inode.get();
  superblock.inode_count = disk.inode_count.get();
  superblock.free_inodes = disk.free_inodes.get();
  superblock.free_data_blocks = disk.free_data_blocks.get();
  superblock.free_realtime_extents = disk.free_realtime_extents.get();
  superblock.uuid = disk.uuid;
  superblock.meta_uuid = disk.uuid;
  superblock.label.assign(disk.label, strnlen(disk.label, sizeof disk.label));
  superblock.version = disk.version.get();
  // Without the sector bit, the log's sectors have the size that all sectors once had.
  superblock.log_sector_size =
      disk.log_sector_size.get() == 0 ? kLeastSectorSize : disk.log_sector_size.get();
  if ((superblock.version & kVersionMoreBits) != 0) {
    superblock.features2 = disk.features2.get();
    if (!superblock.is_v5()) {
      superblock.features2 |= disk.misplaced_features2.get();
    }
  }
  if (superblock.is_v5()) {
    superblock.ro_compat = disk.ro_compat_features.get();
    superblock.incompat = disk.incompat_features.get();
    superblock.log_incompat = disk.log_incompat_features.get();
    if ((superblock.incompat & kIncompatMetaUuid) != 0) {
      superblock.meta_uuid = disk.meta_uuid;
    }
  }
  return superblock;
}

}  // namespace

absl::StatusOr<Superblock> ParseSuperblock(const dax::Device& device) {
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> first,
                         device.View(ByteRange{0, kLeastSectorSize}));
  const auto disk = backends::CopyOut<DiskSuperblock>(first.data());
  if (disk.magic.get() != kSuperblockMagic) {
    return Damaged("magic number ", absl::Hex(disk.magic.get(), absl::kZeroPad8));
  }
  IOMAP_RETURN_IF_ERROR(CheckSizes(disk));
  const Superblock decoded = Decode(disk);
  if (decoded.is_v5()) {
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> sector,
                           device.View(ByteRange{0, decoded.sector_size}));
    if (!ChecksumMatches(sector, offsetof(DiskSuperblock, crc))) {
      return Damaged("checksum is wrong");
    }
  }
  IOMAP_RETURN_IF_ERROR(CheckFeatures(decoded));
  if (disk.in_progress != 0) {
    return Damaged("mkfs.xfs, or another program, has not finished with it");
  }
  Superblock superblock = decoded;
  IOMAP_RETURN_IF_ERROR(CheckGroups(superblock, device));
  IOMAP_RETURN_IF_ERROR(CheckPlaces(superblock));
  return superblock;
}

uint32_t Superblock::AgLength(uint32_t ag) const {
  return ag + 1 < ag_count ? ag_blocks
                           : static_cast<uint32_t>(data_blocks - uint64_t{ag} * ag_blocks);
}

bool Superblock::ContainsBlocks(uint64_t fsblock, uint64_t count) const {
  const uint64_t ag = fsblock >> ag_block_log;
  if (ag >= ag_count || count == 0) {
    return false;
  }
  const uint32_t block = BlockInAg(fsblock);
  const uint32_t length = AgLength(static_cast<uint32_t>(ag));
  const uint64_t last_header_block = (uint64_t{kAgHeaderSectors - 1} * sector_size) >> block_log;
  return block > last_header_block && block < length && count <= length - block;
}

bool Superblock::ContainsInode(InodeNumber inode) const {
  const uint64_t ag = inode >> ag_inode_log();
  return ag < ag_count &&
         ContainsBlocks(FsBlock(static_cast<uint32_t>(ag),
                                static_cast<uint32_t>(InodeInAg(inode) >> inodes_per_block_log)),
                        1);
}

uint64_t Superblock::AddressOfInode(InodeNumber inode) const {
  const uint64_t index = inode & ((uint64_t{1} << inodes_per_block_log) - 1);
  return AddressOfBlock(inode >> inodes_per_block_log) + (index << inode_log);
}

}  // namespace iomap::xfs
