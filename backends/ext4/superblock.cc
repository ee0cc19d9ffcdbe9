#include "backends/ext4/superblock.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "absl/numeric/bits.h"
#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/format.h"
#include "iomap/byte_range.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

absl::Status Damaged(absl::string_view what, uint64_t value, absl::string_view expected) {
  return absl::DataLossError(absl::StrCat("ext4 superblock: ", what, " ", value, ", ", expected));
}

bool IsPowerOf(uint64_t value, uint64_t base) {
  while (value % base == 0) {
    value /= base;
  }
  return value == 1;
}

absl::Status CheckChecksum(absl::Span<const std::byte> bytes, const DiskSuperblock& disk) {
  if (disk.checksum_type != kChecksumTypeCrc32c) {
    return absl::UnimplementedError(absl::StrCat("ext4 superblock: checksum type ",
                                                 disk.checksum_type, ", known is 1 (crc32c)"));
  }
  const uint32_t computed =
      backends::ExtendCrc32c(~0u, bytes.first(offsetof(DiskSuperblock, checksum)));
  if (computed != disk.checksum.get()) {
    return Damaged("checksum", disk.checksum.get(), absl::StrCat("computed ", computed));
  }
  return absl::OkStatus();
}

absl::Status ParseBlocks(const DiskSuperblock& disk, Superblock& superblock) {
  const uint32_t log_block_size = disk.log_block_size.get();
  if (log_block_size > 6) {
    return Damaged("log_block_size", log_block_size, "at most 6");
  }
  superblock.block_shift = 10 + log_block_size;
  superblock.block_size = 1u << superblock.block_shift;
  if ((superblock.features.ro_compat & kRoCompatBigalloc) != 0) {
    const uint32_t log_cluster_size = disk.log_cluster_size.get();
    if (log_cluster_size < log_block_size || log_cluster_size > 20) {
      return Damaged("log_cluster_size", log_cluster_size, "at least the block's, at most 20");
    }
    superblock.blocks_per_cluster = 1u << (log_cluster_size - log_block_size);
  }
  const bool is_64bit = (superblock.features.incompat & kIncompat64Bit) != 0;
  const auto wide = [&](Le32 lo, Le32 hi) {
    return lo.get() | (is_64bit ? uint64_t{hi.get()} << 32 : 0);
  };
  superblock.block_count = wide(disk.blocks_count_lo, disk.blocks_count_hi);
  superblock.free_block_count = wide(disk.free_blocks_lo, disk.free_blocks_hi);
  superblock.first_data_block = disk.first_data_block.get();
  superblock.blocks_per_group = disk.blocks_per_group.get();
  if (superblock.block_count > ByteRange::kMaxOffset >> superblock.block_shift) {
    return Damaged("blocks_count", superblock.block_count, "more than 2^63 bytes");
  }
  if (superblock.first_data_block > 1 || superblock.first_data_block >= superblock.block_count) {
    return Damaged("first_data_block", superblock.first_data_block, "0 or 1, below blocks_count");
  }
  const uint64_t most_blocks_per_group =
      uint64_t{8} * superblock.block_size * superblock.blocks_per_cluster;
  if (superblock.blocks_per_group == 0 || superblock.blocks_per_group > most_blocks_per_group) {
    return Damaged("blocks_per_group", superblock.blocks_per_group,
                   absl::StrCat("1 to ", most_blocks_per_group));
  }
  const uint64_t data_blocks = superblock.block_count - superblock.first_data_block;
  superblock.group_count =
      (data_blocks + superblock.blocks_per_group - 1) / superblock.blocks_per_group;
  constexpr uint64_t kMostGroups = uint64_t{1} << 32;
  if (superblock.group_count > kMostGroups) {
    return Damaged("groups", superblock.group_count, absl::StrCat("at most ", kMostGroups));
  }
  return absl::OkStatus();
}

absl::Status ParseInodes(const DiskSuperblock& disk, Superblock& superblock) {
  const bool is_64bit = (superblock.features.incompat & kIncompat64Bit) != 0;
  superblock.inode_count = disk.inodes_count.get();
  superblock.free_inode_count = disk.free_inodes.get();
  superblock.inodes_per_group = disk.inodes_per_group.get();
  superblock.inode_size = disk.rev_level.get() == 0 ? kSmallInodeBytes : disk.inode_size.get();
  superblock.first_inode = disk.rev_level.get() == 0 ? 11 : disk.first_inode.get();
  superblock.descriptor_size = is_64bit ? disk.descriptor_size.get() : kSmallDescriptorBytes;
  if (superblock.inode_size < kSmallInodeBytes || superblock.inode_size > superblock.block_size ||
      !absl::has_single_bit(superblock.inode_size)) {
    return Damaged("inode_size", superblock.inode_size, "a power of two, 128 to the block size");
  }
  if (superblock.inodes_per_group == 0 ||
      superblock.inodes_per_group > uint64_t{8} * superblock.block_size) {
    return Damaged("inodes_per_group", superblock.inodes_per_group,
                   absl::StrCat("1 to ", 8 * superblock.block_size));
  }
  if (superblock.inode_count < kRootInode ||
      superblock.inode_count > superblock.group_count * superblock.inodes_per_group) {
    return Damaged("inodes_count", superblock.inode_count,
                   absl::StrCat(superblock.group_count, " groups hold ",
                                superblock.group_count * superblock.inodes_per_group));
  }
  const bool is_descriptor_size_right =
      superblock.descriptor_size >=
          (is_64bit ? sizeof(DiskGroupDescriptor) : kSmallDescriptorBytes) &&
      superblock.descriptor_size <= 1024 && absl::has_single_bit(superblock.descriptor_size);
  if (!is_descriptor_size_right) {
    return Damaged("descriptor size", superblock.descriptor_size, "a power of two, 64 to 1024");
  }
  return absl::OkStatus();
}

}  // namespace

bool Superblock::has_metadata_checksums() const {
  return (features.ro_compat & kRoCompatMetadataChecksum) != 0;
}

bool Superblock::has_group_checksums() const {
  return (features.ro_compat & (kRoCompatMetadataChecksum | kRoCompatGdtChecksum)) != 0;
}

bool Superblock::GroupHasSuperblock(uint64_t group) const {
  if (group == 0) {
    return true;
  }
  if ((features.compat & kCompatSparseSuper2) != 0) {
    return group == backup_groups[0] || group == backup_groups[1];
  }
  if ((features.ro_compat & kRoCompatSparseSuper) == 0 || group == 1) {
    return true;
  }
  return IsPowerOf(group, 3) || IsPowerOf(group, 5) || IsPowerOf(group, 7);
}

uint64_t Superblock::DescriptorBlock(uint64_t group) const {
  IOMAP_CHECK(group < group_count);
  const uint64_t descriptors_per_block = block_size / descriptor_size;
  const uint64_t index = group / descriptors_per_block;
  const uint64_t superblock_block = kSuperblockOffset / block_size;
  if ((features.incompat & kIncompatMetaBg) == 0 || index < first_meta_block_group) {
    return superblock_block + 1 + index;
  }
  // Each meta group keeps its own block of descriptors, at the start of its first group, behind the
  // copy of the superblock if there is one. In group 0 with 1 KiB blocks the superblock is block 1
  // even where the group begins with block 0 (bigalloc).
  const uint64_t first_group = index * descriptors_per_block;
  uint64_t block = first_data_block + first_group * blocks_per_group;
  if (first_group == 0) {
    return superblock_block + 1;
  }
  return block + (GroupHasSuperblock(first_group) ? 1 : 0);
}

absl::StatusOr<Superblock> ParseSuperblock(absl::Span<const std::byte> bytes) {
  IOMAP_CHECK(bytes.size() == sizeof(DiskSuperblock));
  const auto disk = backends::CopyOut<DiskSuperblock>(bytes.data());
  if (disk.magic.get() != kSuperblockMagic) {
    return Damaged("magic", disk.magic.get(), absl::StrCat("not ", kSuperblockMagic));
  }
  Superblock superblock;
  if (disk.rev_level.get() > 0) {
    superblock.features = {disk.feature_compat.get(), disk.feature_incompat.get(),
                           disk.feature_ro_compat.get()};
  }
  if (superblock.has_metadata_checksums()) {
    IOMAP_RETURN_IF_ERROR(CheckChecksum(bytes, disk));
  }
  IOMAP_RETURN_IF_ERROR(CheckReadable(superblock.features));
  IOMAP_RETURN_IF_ERROR(ParseBlocks(disk, superblock));
  IOMAP_RETURN_IF_ERROR(ParseInodes(disk, superblock));
  superblock.reserved_descriptor_blocks = disk.reserved_gdt_blocks.get();
  superblock.first_meta_block_group = disk.first_meta_block_group.get();
  superblock.backup_groups = {disk.backup_groups[0].get(), disk.backup_groups[1].get()};
  std::copy(std::begin(disk.uuid), std::end(disk.uuid), superblock.uuid.begin());
  superblock.checksum_seed =
      (superblock.features.incompat & kIncompatChecksumSeed) != 0
          ? disk.checksum_seed.get()
          : backends::ExtendCrc32c(~0u,
                                   bytes.subspan(offsetof(DiskSuperblock, uuid), sizeof disk.uuid));
  for (size_t i = 0; i < superblock.hash_seed.size(); ++i) {
    superblock.hash_seed[i] = disk.hash_seed[i].get();
  }
  superblock.unsigned_hash = (disk.flags.get() & kFlagUnsignedHash) != 0;
  if ((superblock.features.compat & kCompatHasJournal) != 0) {
    superblock.journal_inode = disk.journal_inode.get();
    superblock.has_external_journal = superblock.journal_inode == 0;
  }
  superblock.last_orphan = disk.last_orphan.get();
  if ((superblock.features.compat & kCompatOrphanFile) != 0) {
    superblock.orphan_file_inode = disk.orphan_file_inode.get();
  }
  superblock.log_groups_per_flex = disk.log_groups_per_flex;
  superblock.state = disk.state.get();
  superblock.label.assign(disk.volume_name, strnlen(disk.volume_name, sizeof disk.volume_name));
  return superblock;
}

}  // namespace iomap::ext4
