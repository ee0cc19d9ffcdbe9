#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/endian.h"

// ext4 as it lies on the medium: layouts and constants only; FORMAT.md beside this file is the
// prose. Source: Documentation/filesystems/ext4 of Linux ("Data Structures and Algorithms").
namespace iomap::ext4 {

using backends::Le16;
using backends::Le32;
using backends::Le64;

inline constexpr uint64_t kSuperblockOffset = 1024;  // bytes from the start of the device
inline constexpr uint16_t kSuperblockMagic = 0xEF53;

// The superblock, at kSuperblockOffset.
struct DiskSuperblock {
  Le32 inodes_count;
  Le32 blocks_count_lo;
  Le32 reserved_blocks_lo;
  Le32 free_blocks_lo;
  Le32 free_inodes;
  Le32 first_data_block;
  Le32 log_block_size;
  Le32 log_cluster_size;
  Le32 blocks_per_group;
  Le32 clusters_per_group;
  Le32 inodes_per_group;
  Le32 mtime, wtime;
  Le16 mount_count, max_mount_count;
  Le16 magic;
  Le16 state;
  Le16 errors;
  Le16 minor_rev_level;
  Le32 last_check, check_interval, creator_os;
  Le32 rev_level;
  Le16 default_uid, default_gid;
  Le32 first_inode;
  Le16 inode_size;
  Le16 block_group;
  Le32 feature_compat;
  Le32 feature_incompat;
  Le32 feature_ro_compat;
  unsigned char uuid[16];
  char volume_name[16];
  char last_mounted[64];
  Le32 algorithm_bitmap;
  unsigned char preallocated_blocks, preallocated_directory_blocks;
  Le16 reserved_gdt_blocks;
  unsigned char journal_uuid[16];
  Le32 journal_inode;
  Le32 journal_device;
  Le32 last_orphan;
  Le32 hash_seed[4];
  unsigned char default_hash_version;
  unsigned char journal_backup_type;
  Le16 descriptor_size;
  Le32 default_mount_options;
  Le32 first_meta_block_group;
  Le32 mkfs_time;
  Le32 journal_blocks[17];
  Le32 blocks_count_hi;
  Le32 reserved_blocks_hi;
  Le32 free_blocks_hi;
  Le16 min_extra_isize, want_extra_isize;
  Le32 flags;
  Le16 raid_stride, mmp_interval;
  Le64 mmp_block;
  Le32 raid_stripe_width;
  unsigned char log_groups_per_flex;
  unsigned char checksum_type;
  unsigned char unused_176[2];
  unsigned char unused_178[0x24c - 0x178];
  Le32 backup_groups[2];
  unsigned char unused_254[0x270 - 0x254];
  Le32 checksum_seed;
  unsigned char unused_274[0x280 - 0x274];
  Le32 orphan_file_inode;
  unsigned char unused_284[0x3fc - 0x284];
  Le32 checksum;
};
static_assert(sizeof(DiskSuperblock) == 1024);
static_assert(offsetof(DiskSuperblock, magic) == 0x38);
static_assert(offsetof(DiskSuperblock, feature_compat) == 0x5c);
static_assert(offsetof(DiskSuperblock, journal_inode) == 0xe0);
static_assert(offsetof(DiskSuperblock, descriptor_size) == 0xfe);
static_assert(offsetof(DiskSuperblock, blocks_count_hi) == 0x150);
static_assert(offsetof(DiskSuperblock, flags) == 0x160);
static_assert(offsetof(DiskSuperblock, checksum_type) == 0x175);

// Bits of state and flags.
inline constexpr uint16_t kStateValid = 1, kStateError = 2;
inline constexpr uint32_t kFlagSignedHash = 1, kFlagUnsignedHash = 2;
inline constexpr unsigned char kChecksumTypeCrc32c = 1;

// Feature bits; features.cc has the names of all.
inline constexpr uint32_t kCompatHasJournal = 0x4, kCompatDirIndex = 0x20;
inline constexpr uint32_t kCompatSparseSuper2 = 0x200, kCompatOrphanFile = 0x1000;
inline constexpr uint32_t kIncompatFiletype = 0x2, kIncompatRecover = 0x4, kIncompatMetaBg = 0x10;
inline constexpr uint32_t kIncompat64Bit = 0x80, kIncompatChecksumSeed = 0x2000;
inline constexpr uint32_t kIncompatLargeDir = 0x4000;
inline constexpr uint32_t kRoCompatSparseSuper = 0x1, kRoCompatHugeFile = 0x8;
inline constexpr uint32_t kRoCompatGdtChecksum = 0x10, kRoCompatBigalloc = 0x200;
inline constexpr uint32_t kRoCompatMetadataChecksum = 0x400;

// A group descriptor: the first 32 bytes, and the rest when descriptor_size is 64 or more.
struct DiskGroupDescriptor {
  Le32 block_bitmap_lo;
  Le32 inode_bitmap_lo;
  Le32 inode_table_lo;
  Le16 free_blocks_lo, free_inodes_lo, used_directories_lo;
  Le16 flags;
  Le32 exclude_bitmap_lo;
  Le16 block_bitmap_checksum_lo, inode_bitmap_checksum_lo;
  Le16 unused_inodes_lo;
  Le16 checksum;
  Le32 block_bitmap_hi;
  Le32 inode_bitmap_hi;
  Le32 inode_table_hi;
  Le16 free_blocks_hi, free_inodes_hi, used_directories_hi;
  Le16 unused_inodes_hi;
  Le32 exclude_bitmap_hi;
  Le16 block_bitmap_checksum_hi, inode_bitmap_checksum_hi;
  Le32 reserved;
};
static_assert(sizeof(DiskGroupDescriptor) == 64);
static_assert(offsetof(DiskGroupDescriptor, checksum) == 0x1e);
inline constexpr uint32_t kSmallDescriptorBytes = 32;
inline constexpr uint16_t kGroupInodesUninitialised = 0x1, kGroupBlocksUninitialised = 0x2;

inline constexpr size_t kInodeBlockBytes = 60;  // i_block: extent root, block pointers, or data

// An inode: the first 160 bytes, those from 128 on only when the inode size allows.
struct DiskInode {
  Le16 mode;
  Le16 uid_lo;
  Le32 size_lo;
  Le32 atime, ctime, mtime, dtime;
  Le16 gid_lo;
  Le16 link_count;
  Le32 blocks_lo;
  Le32 flags;
  Le32 version;
  std::byte block[kInodeBlockBytes];
  Le32 generation;
  Le32 file_acl_lo;
  Le32 size_hi;
  Le32 fragment_address;
  Le16 blocks_hi;
  Le16 file_acl_hi;
  Le16 uid_hi;
  Le16 gid_hi;
  Le16 checksum_lo;
  Le16 reserved;
  Le16 extra_isize;
  Le16 checksum_hi;
  Le32 ctime_extra, mtime_extra, atime_extra;
  Le32 crtime, crtime_extra;
  Le32 version_hi;
  Le32 project_id;
};
static_assert(sizeof(DiskInode) == 160);
static_assert(offsetof(DiskInode, block) == 0x28);
static_assert(offsetof(DiskInode, checksum_lo) == 0x7c);
static_assert(offsetof(DiskInode, extra_isize) == 0x80);
inline constexpr uint32_t kSmallInodeBytes = 128;

inline constexpr uint32_t kInodeEncrypted = 0x800, kInodeIndexed = 0x1000;
inline constexpr uint32_t kInodeHugeFile = 0x40000, kInodeExtents = 0x80000;
inline constexpr uint32_t kInodeInlineData = 0x10000000, kInodeCasefold = 0x40000000;
inline constexpr uint32_t kRootInode = 2;

// The head of each node of an extent tree.
struct DiskExtentHeader {
  Le16 magic;
  Le16 entries;
  Le16 max;
  Le16 depth;
  Le32 generation;
};
// A record of an inner node.
struct DiskExtentIndex {
  Le32 file_block;
  Le32 child_lo;
  Le16 child_hi;
  Le16 unused;
};
// A record of a leaf.
struct DiskExtent {
  Le32 file_block;
  Le16 length;  // above kMostWrittenBlocks: unwritten, length - kMostWrittenBlocks blocks
  Le16 start_hi;
  Le32 start_lo;
};
static_assert(sizeof(DiskExtentHeader) == 12 && sizeof(DiskExtentIndex) == 12 &&
              sizeof(DiskExtent) == 12);
inline constexpr uint16_t kExtentMagic = 0xF30A;
inline constexpr uint16_t kMostExtentDepth = 5;
inline constexpr uint16_t kMostWrittenBlocks = 32768;

// The head of a directory entry; the name follows.
struct DiskDirectoryEntry {
  Le32 inode;
  Le16 record_length;
  unsigned char name_length;
  unsigned char file_type;
};
// The last 12 bytes of a linear block with metadata_csum.
struct DiskDirectoryTail {
  Le32 zero;
  Le16 record_length;  // 12
  unsigned char zero_name_length;
  unsigned char file_type;  // kDirectoryTailType
  Le32 checksum;
};
static_assert(sizeof(DiskDirectoryEntry) == 8 && sizeof(DiskDirectoryTail) == 12);
inline constexpr unsigned char kDirectoryTailType = 0xDE;

// At kIndexRootInfoOffset of block 0 of a hashed directory.
struct DiskIndexRootInfo {
  Le32 zero;
  unsigned char hash_version;
  unsigned char info_length;  // 8
  unsigned char indirect_levels;
  unsigned char flags;
};
// How many index entries there are; in the place of the first entry's hash.
struct DiskIndexCountLimit {
  Le16 limit;
  Le16 count;
};
// One index entry: names with this hash or a greater one are in that block.
struct DiskIndexEntry {
  Le32 hash;
  Le32 block;
};
// Behind the room for `limit` index entries, with metadata_csum.
struct DiskIndexTail {
  Le32 reserved;
  Le32 checksum;
};
static_assert(sizeof(DiskIndexRootInfo) == 8 && sizeof(DiskIndexEntry) == 8 &&
              sizeof(DiskIndexTail) == 8);
inline constexpr size_t kIndexRootInfoOffset = 24;

// The head of an extended attribute; the name follows.
struct DiskXattrEntry {
  unsigned char name_length;
  unsigned char name_index;
  Le16 value_offset;
  Le32 value_inode;
  Le32 value_size;
  Le32 hash;
};
static_assert(sizeof(DiskXattrEntry) == 16);
inline constexpr uint32_t kXattrMagic = 0xEA020000;
inline constexpr unsigned char kXattrIndexSystem = 7;

// The last bytes of each block of the orphan file, behind an array of inode numbers (Le32).
struct DiskOrphanTail {
  Le32 magic;
  Le32 checksum;
};
static_assert(sizeof(DiskOrphanTail) == 8);
inline constexpr uint32_t kOrphanMagic = 0x0B10CA04;

}  // namespace iomap::ext4
