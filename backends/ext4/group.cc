#include "backends/ext4/group.h"

#include <array>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/crc16.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

// The checksum leaves its own field out: metadata_csum counts it as zeros, uninit_bg passes over
// it.
uint16_t DescriptorChecksum(const Superblock& superblock, uint32_t group, Bytes descriptor) {
  constexpr size_t kBegin = offsetof(DiskGroupDescriptor, checksum);
  constexpr size_t kEnd = kBegin + sizeof(Le16);
  std::array<std::byte, 4> number;
  for (size_t i = 0; i < number.size(); ++i) {
    number[i] = static_cast<std::byte>(group >> (8 * i));
  }
  if (superblock.has_metadata_checksums()) {
    uint32_t crc = backends::ExtendCrc32c(superblock.checksum_seed, number);
    crc = backends::ExtendCrc32c(crc, descriptor.first(kBegin));
    crc = backends::ExtendCrc32cByZeros(crc, sizeof(Le16));
    return static_cast<uint16_t>(backends::ExtendCrc32c(crc, descriptor.subspan(kEnd)));
  }
  std::array<std::byte, 16> uuid;
  std::memcpy(uuid.data(), superblock.uuid.data(), uuid.size());
  uint16_t crc = ExtendCrc16(0xFFFF, uuid);
  crc = ExtendCrc16(crc, number);
  crc = ExtendCrc16(crc, descriptor.first(kBegin));
  return ExtendCrc16(crc, descriptor.subspan(kEnd));
}

}  // namespace

DescriptorPlace DescriptorPlaceOf(const Superblock& superblock, uint64_t group) {
  const uint64_t descriptors_per_block = superblock.block_size / superblock.descriptor_size;
  return DescriptorPlace{superblock.DescriptorBlock(group),
                         group % descriptors_per_block * superblock.descriptor_size};
}

DiskGroupDescriptor LoadDescriptor(Bytes bytes) {
  DiskGroupDescriptor disk{};
  std::memcpy(&disk, bytes.data(), std::min(sizeof disk, bytes.size()));
  return disk;
}

void StoreDescriptor(const Superblock& superblock, uint64_t group,
                     const DiskGroupDescriptor& descriptor, absl::Span<std::byte> bytes) {
  std::memcpy(bytes.data(), &descriptor, std::min(sizeof descriptor, bytes.size()));
  if (superblock.has_group_checksums()) {
    backends::Store<Le16>(bytes.data() + offsetof(DiskGroupDescriptor, checksum),
                          DescriptorChecksum(superblock, static_cast<uint32_t>(group), bytes));
  }
}

uint32_t FreeClustersOf(const DiskGroupDescriptor& descriptor) {
  return descriptor.free_blocks_lo.get() | uint32_t{descriptor.free_blocks_hi.get()} << 16;
}

uint32_t BlockBitmapChecksum(const Superblock& superblock, Bytes bitmap) {
  const uint32_t bytes = superblock.blocks_per_group / superblock.blocks_per_cluster / 8;
  const uint32_t computed = backends::ExtendCrc32c(superblock.checksum_seed, bitmap.first(bytes));
  // A short descriptor has no room for more.
  return superblock.descriptor_size < sizeof(DiskGroupDescriptor) ? computed & 0xFFFF : computed;
}

uint64_t InodeTableBlocks(const Superblock& superblock) {
  const uint64_t bytes = uint64_t{superblock.inodes_per_group} * superblock.inode_size;
  return (bytes + superblock.block_size - 1) >> superblock.block_shift;
}

absl::StatusOr<Group> ReadGroup(const Volume& volume, uint64_t group) {
  const Superblock& superblock = volume.superblock();
  const DescriptorPlace place = DescriptorPlaceOf(superblock, group);
  const auto damaged = [&](absl::string_view what, uint64_t value, absl::string_view expected) {
    return absl::DataLossError(absl::StrCat("ext4 group descriptor ", group, ", block ",
                                            place.block, ": ", what, " ", value, ", ", expected));
  };
  IOMAP_ASSIGN_OR_RETURN(const Bytes table, volume.Block(place.block));
  const Bytes bytes = table.subspan(place.offset, superblock.descriptor_size);
  const DiskGroupDescriptor disk = LoadDescriptor(bytes);
  if (superblock.has_group_checksums()) {
    const uint16_t computed = DescriptorChecksum(superblock, static_cast<uint32_t>(group), bytes);
    if (computed != disk.checksum.get()) {
      return damaged("checksum", disk.checksum.get(), absl::StrCat("computed ", computed));
    }
  }
  Group parsed;
  parsed.inode_table_block = disk.inode_table_lo.get() | uint64_t{disk.inode_table_hi.get()} << 32;
  const uint64_t table_blocks = InodeTableBlocks(superblock);
  if (parsed.inode_table_block <= superblock.first_data_block ||
      parsed.inode_table_block > superblock.block_count ||
      table_blocks > superblock.block_count - parsed.inode_table_block) {
    return damaged("inode table at block", parsed.inode_table_block,
                   absl::StrCat("the file system has ", superblock.block_count));
  }
  parsed.initialised_inodes = superblock.inodes_per_group;
  if (superblock.has_group_checksums()) {
    const uint32_t unused = disk.unused_inodes_lo.get() | uint32_t{disk.unused_inodes_hi.get()}
                                                              << 16;
    if (unused > superblock.inodes_per_group) {
      return damaged("unused inodes", unused,
                     absl::StrCat("a group has ", superblock.inodes_per_group));
    }
    const bool uninitialised = (disk.flags.get() & kGroupInodesUninitialised) != 0;
    parsed.initialised_inodes = uninitialised ? 0 : superblock.inodes_per_group - unused;
  }
  parsed.block_bitmap_block = disk.block_bitmap_lo.get() | uint64_t{disk.block_bitmap_hi.get()}
                                                               << 32;
  parsed.inode_bitmap_block = disk.inode_bitmap_lo.get() | uint64_t{disk.inode_bitmap_hi.get()}
                                                               << 32;
  parsed.block_bitmap_checksum =
      disk.block_bitmap_checksum_lo.get() | uint32_t{disk.block_bitmap_checksum_hi.get()} << 16;
  parsed.has_block_bitmap =
      !superblock.has_group_checksums() || (disk.flags.get() & kGroupBlocksUninitialised) == 0;
  parsed.free_clusters = FreeClustersOf(disk);
  parsed.free_inodes = disk.free_inodes_lo.get() | uint32_t{disk.free_inodes_hi.get()} << 16;
  return parsed;
}

bool IsBlockBitmapWhole(const Superblock& superblock, const Group& group, Bytes bitmap) {
  if (!superblock.has_metadata_checksums()) {
    return true;
  }
  // Nothing is computed of a bitmap that is too short for its group.
  return superblock.blocks_per_group / superblock.blocks_per_cluster / 8 <= bitmap.size() &&
         BlockBitmapChecksum(superblock, bitmap) == group.block_bitmap_checksum;
}

absl::StatusOr<FreeCounts> CountFree(const Volume& volume) {
  const Superblock& superblock = volume.superblock();
  FreeCounts counts;
  for (uint64_t number = 0; number < superblock.group_count; ++number) {
    IOMAP_ASSIGN_OR_RETURN(const Group group, ReadGroup(volume, number));
    counts.blocks += uint64_t{group.free_clusters} * superblock.blocks_per_cluster;
    counts.inodes += group.free_inodes;
  }
  return counts;
}

absl::Status InitialiseInodes(Volume& volume, uint64_t group, uint32_t count) {
  const Superblock& superblock = volume.superblock();
  IOMAP_ASSIGN_OR_RETURN(const Group before, ReadGroup(volume, group));
  if (count <= before.initialised_inodes) {
    return absl::OkStatus();
  }
  const DescriptorPlace place = DescriptorPlaceOf(superblock, group);
  IOMAP_ASSIGN_OR_RETURN(const Bytes table, volume.Block(place.block));
  const Bytes lying = table.subspan(place.offset, superblock.descriptor_size);
  std::vector<std::byte> bytes(lying.begin(), lying.end());
  DiskGroupDescriptor disk = LoadDescriptor(bytes);
  const uint32_t unused = superblock.inodes_per_group - count;
  disk.unused_inodes_lo.set(static_cast<uint16_t>(unused));
  disk.unused_inodes_hi.set(static_cast<uint16_t>(unused >> 16));
  disk.flags.set(disk.flags.get() & static_cast<uint16_t>(~kGroupInodesUninitialised));
  StoreDescriptor(superblock, group, disk, absl::MakeSpan(bytes));
  return volume.device().Write((place.block << superblock.block_shift) + place.offset, bytes);
}

}  // namespace iomap::ext4
