#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backends/endian.h"

// XFS on the medium, versions 4 and 5: superblock, allocation group headers, B+trees, inodes.
// Source: "XFS Algorithms & Data Structures", third edition (kernel.org), and FORMAT.md beside this
// file. Directories are in directory_format.h, the log in log_format.h. All integers are big-endian
// but checksums.

namespace iomap::xfs {

using backends::Be16;
using backends::Be32;
using backends::Be64;
using backends::Le32;
using Uuid = std::array<uint8_t, 16>;

// --- Superblock.

// Sector 0 of each allocation group; the first group's counts.
struct DiskSuperblock {
  Be32 magic;
  Be32 block_size;
  Be64 data_blocks;
  Be64 realtime_blocks;
  Be64 realtime_extents;
  Uuid uuid;
  Be64 log_start;  // fsblock; 0: the log is on a device of its own
  Be64 root_inode;
  Be64 realtime_bitmap_inode;
  Be64 realtime_summary_inode;
  Be32 realtime_extent_blocks;
  Be32 ag_blocks;
  Be32 ag_count;
  Be32 realtime_bitmap_blocks;
  Be32 log_blocks;
  Be16 version;
  Be16 sector_size;
  Be16 inode_size;
  Be16 inodes_per_block;
  char label[12];
  uint8_t block_log;
  uint8_t sector_log;
  uint8_t inode_log;
  uint8_t inodes_per_block_log;
  uint8_t ag_block_log;
  uint8_t realtime_extent_log;
  uint8_t in_progress;
  uint8_t inode_percent;
  Be64 inode_count;
  Be64 free_inodes;
  Be64 free_data_blocks;
  Be64 free_realtime_extents;
  Be64 user_quota_inode;
  Be64 group_quota_inode;
  Be16 quota_flags;
  uint8_t flags;
  uint8_t shared_version;
  Be32 inode_alignment;
  Be32 stripe_unit;
  Be32 stripe_width;
  uint8_t directory_block_log;
  uint8_t log_sector_log;
  Be16 log_sector_size;
  Be32 log_stripe_unit;
  Be32 features2;
  Be32 misplaced_features2;  // where some architectures once wrote features2
  Be32 compat_features;      // version 5 from here on
  Be32 ro_compat_features;
  Be32 incompat_features;
  Be32 log_incompat_features;
  Le32 crc;
  Be32 sparse_inode_alignment;
  Be64 project_quota_inode;
  Be64 lsn;
  Uuid meta_uuid;
};
static_assert(sizeof(DiskSuperblock) == 264 && alignof(DiskSuperblock) == 1);
static_assert(offsetof(DiskSuperblock, crc) == 224);
static_assert(offsetof(DiskSuperblock, meta_uuid) == 248);

inline constexpr uint32_t kSuperblockMagic = 0x58465342;  // "XFSB"
inline constexpr uint32_t kLeastSectorSize = 512;

inline constexpr uint16_t kVersionNumberMask = 0x000F;
inline constexpr uint16_t kVersionAttr = 0x0010;
inline constexpr uint16_t kVersionNlink = 0x0020;
inline constexpr uint16_t kVersionQuota = 0x0040;
inline constexpr uint16_t kVersionAlign = 0x0080;
inline constexpr uint16_t kVersionStripe = 0x0100;
inline constexpr uint16_t kVersionShared = 0x0200;
inline constexpr uint16_t kVersionLogV2 = 0x0400;
inline constexpr uint16_t kVersionSector = 0x0800;
inline constexpr uint16_t kVersionExtentFlag = 0x1000;
inline constexpr uint16_t kVersionDirectoryV2 = 0x2000;
inline constexpr uint16_t kVersionAsciiCi = 0x4000;
inline constexpr uint16_t kVersionMoreBits = 0x8000;

inline constexpr uint32_t kFeature2LazyCount = 0x0002;
inline constexpr uint32_t kFeature2Attr2 = 0x0008;
inline constexpr uint32_t kFeature2Parent = 0x0010;
inline constexpr uint32_t kFeature2Projid32 = 0x0080;
inline constexpr uint32_t kFeature2Crc = 0x0100;
inline constexpr uint32_t kFeature2Ftype = 0x0200;

inline constexpr uint32_t kRoCompatFinobt = 0x1;
inline constexpr uint32_t kRoCompatRmapbt = 0x2;
inline constexpr uint32_t kRoCompatReflink = 0x4;
inline constexpr uint32_t kRoCompatInobtCount = 0x8;

inline constexpr uint32_t kIncompatFtype = 0x001;
inline constexpr uint32_t kIncompatSparse = 0x002;
inline constexpr uint32_t kIncompatMetaUuid = 0x004;
inline constexpr uint32_t kIncompatBigtime = 0x008;
inline constexpr uint32_t kIncompatNeedsRepair = 0x010;
inline constexpr uint32_t kIncompatNrext64 = 0x020;
inline constexpr uint32_t kIncompatExchange = 0x040;
inline constexpr uint32_t kIncompatParent = 0x080;
inline constexpr uint32_t kIncompatMetadir = 0x100;
inline constexpr uint32_t kIncompatZoned = 0x200;
inline constexpr uint32_t kIncompatZoneGaps = 0x400;

// --- Headers of an allocation group.

// Free space and reference counts: sector 1 of the group.
struct DiskAgf {
  Be32 magic;
  Be32 version;
  Be32 ag_number;
  Be32 length;  // blocks
  Be32 free_space_roots[2];
  Be32 rmap_root;
  Be32 free_space_levels[2];
  Be32 rmap_levels;
  Be32 free_list[3];
  Be32 free_blocks;
  Be32 longest_free;
  Be32 btree_blocks;
  Uuid uuid;
  Be32 rmap_blocks;
  Be32 refcount_blocks;
  Be32 refcount_root;
  Be32 refcount_levels;
  Be64 spare[14];
  Be64 lsn;
  Le32 crc;
  Be32 spare2;
};
static_assert(sizeof(DiskAgf) == 224 && offsetof(DiskAgf, uuid) == 64);
static_assert(offsetof(DiskAgf, refcount_root) == 88 && offsetof(DiskAgf, crc) == 216);

// Inodes: sector 2 of the group.
struct DiskAgi {
  Be32 magic;
  Be32 version;
  Be32 ag_number;
  Be32 length;  // blocks
  Be32 inode_count;
  Be32 root;
  Be32 levels;
  Be32 free_inodes;
  Be32 newest_inode;
  Be32 unused;
  Be32 unlinked[64];
  Uuid uuid;
  Le32 crc;
  Be32 padding;
  Be64 lsn;
  Be32 free_inode_root;
  Be32 free_inode_levels;
  Be32 inode_btree_blocks;
  Be32 free_inode_btree_blocks;
};
static_assert(sizeof(DiskAgi) == 344 && offsetof(DiskAgi, uuid) == 296);
static_assert(offsetof(DiskAgi, root) == 20 && offsetof(DiskAgi, crc) == 312);

inline constexpr uint32_t kAgfMagic = 0x58414746;  // "XAGF"
inline constexpr uint32_t kAgiMagic = 0x58414749;  // "XAGI"

// --- B+tree blocks. A header, then records (level 0), or keys for as many as fit and then
// pointers. Version 4 blocks end their header in front of block_number.

// Of the trees of an allocation group: pointers are blocks of the group.
struct DiskShortBtreeHeader {
  Be32 magic;
  Be16 level;
  Be16 record_count;
  Be32 left_sibling;
  Be32 right_sibling;
  Be64 block_number;  // in 512-byte units
  Be64 lsn;
  Uuid uuid;
  Be32 owner;  // the allocation group
  Le32 crc;
};
static_assert(sizeof(DiskShortBtreeHeader) == 56);
static_assert(offsetof(DiskShortBtreeHeader, block_number) == 16);

// Of the trees of an inode: pointers are fsblocks.
struct DiskLongBtreeHeader {
  Be32 magic;
  Be16 level;
  Be16 record_count;
  Be64 left_sibling;
  Be64 right_sibling;
  Be64 block_number;
  Be64 lsn;
  Uuid uuid;
  Be64 owner;  // the inode
  Le32 crc;
  Be32 padding;
};
static_assert(sizeof(DiskLongBtreeHeader) == 72);
static_assert(offsetof(DiskLongBtreeHeader, block_number) == 24);

inline constexpr uint32_t kInodeBtreeMagicV4 = 0x49414254;   // "IABT"
inline constexpr uint32_t kInodeBtreeMagicV5 = 0x49414233;   // "IAB3"
inline constexpr uint32_t kRefcountBtreeMagic = 0x52334643;  // "R3FC"
inline constexpr uint32_t kExtentBtreeMagicV4 = 0x424D4150;  // "BMAP"
inline constexpr uint32_t kExtentBtreeMagicV5 = 0x424D4133;  // "BMA3"

// A chunk of 64 inodes.
struct DiskInodeRecord {
  Be32 first_inode;  // within the group
  Be16 hole_mask;    // sparse inodes: bit n is set when inodes 4n to 4n+3 do not exist
  uint8_t count;     // without sparse inodes these four bytes are one number, the free inodes
  uint8_t free_count;
  Be64 free_mask;  // bit n: inode n of the chunk is free
};
static_assert(sizeof(DiskInodeRecord) == 16);
inline constexpr uint32_t kInodesPerChunk = 64;
inline constexpr uint32_t kInodesPerHoleBit = 4;

// Blocks that more than one file, or more than one place, uses.
struct DiskRefcountRecord {
  Be32 start_block;  // within the group; the highest bit marks what copy on write has set aside
  Be32 block_count;
  Be32 refcount;
};
static_assert(sizeof(DiskRefcountRecord) == 12);
inline constexpr uint32_t kRefcountStagingBit = 0x80000000;

// One extent of a file, 128 bits: 1 unwritten flag, 54 file block, 52 start block, 21 block count.
struct DiskExtent {
  Be64 high;
  Be64 low;
};
static_assert(sizeof(DiskExtent) == 16);

// The root of an extent B+tree, in the inode: then keys for as many as fit, then pointers.
struct DiskForkBtreeRoot {
  Be16 level;
  Be16 record_count;
};
static_assert(sizeof(DiskForkBtreeRoot) == 4);

// No format limit says how high a tree may be; this one is above what 2^48 extents need in the
// smallest blocks, and it bounds every descent.
inline constexpr uint32_t kMostBtreeLevels = 16;

// --- Inodes.

// Versions 1 and 2 (superblock version 4) end in front of crc; then follows the literal
// area with the data fork and, at fork_offset * 8, the attribute fork.
struct DiskInode {
  Be16 magic;
  Be16 mode;
  uint8_t version;
  uint8_t format;
  Be16 link_count_v1;
  Be32 uid;
  Be32 gid;
  Be32 link_count;
  Be16 project_low;
  Be16 project_high;
  Be64 big_extent_count;  // with kInodeFlag2Nrext64
  Be64 access_time;
  Be64 modification_time;
  Be64 change_time;
  Be64 size;
  Be64 block_count;
  Be32 extent_size_hint;
  Be32 extent_count;
  Be16 attribute_extent_count;
  uint8_t fork_offset;
  uint8_t attribute_format;
  Be32 dm_event_mask;
  Be16 dm_state;
  Be16 flags;
  Be32 generation;
  Be32 next_unlinked;
  Le32 crc;
  Be64 change_count;
  Be64 lsn;
  Be64 flags2;
  Be32 cow_extent_size_hint;
  uint8_t padding[12];
  Be64 creation_time;
  Be64 inode_number;
  Uuid uuid;
};
static_assert(sizeof(DiskInode) == 176 && offsetof(DiskInode, crc) == 100);
static_assert(offsetof(DiskInode, size) == 56 && offsetof(DiskInode, flags2) == 120);
static_assert(offsetof(DiskInode, inode_number) == 152 && offsetof(DiskInode, fork_offset) == 82);

inline constexpr uint16_t kInodeMagic = 0x494E;  // "IN"
inline constexpr uint16_t kInodeFlagRealtime = 0x0001;
inline constexpr uint64_t kInodeFlag2Reflink = 0x02;
inline constexpr uint64_t kInodeFlag2Bigtime = 0x08;
inline constexpr uint64_t kInodeFlag2Nrext64 = 0x10;

// What the data fork holds.
enum class ForkFormat : uint8_t { kDevice = 0, kLocal = 1, kExtents = 2, kBtree = 3 };

// --- A remote symbolic link (version 5): this header at the start of each of its extents, then
// text.
struct DiskSymlinkHeader {
  Be32 magic;
  Be32 offset;  // of this part in the target, bytes
  Be32 bytes;
  Le32 crc;
  Uuid uuid;
  Be64 owner;
  Be64 block_number;
  Be64 lsn;
};
static_assert(sizeof(DiskSymlinkHeader) == 56);

inline constexpr uint32_t kSymlinkMagic = 0x58534C4D;  // "XSLM"
inline constexpr uint64_t kMostSymlinkBytes = 1024;

}  // namespace iomap::xfs
