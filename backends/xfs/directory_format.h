#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/xfs/format.h"

// XFS directories on the medium. A directory is a sparse file of directory blocks in three spaces:
// entries from byte 0, the hash index from 32 GiB, the free space index from 64 GiB (not needed for
// reading). Blocks in the index name each other by fsblock offset in the directory; index entries
// name directory entries by byte offset / 8.

namespace iomap::xfs {

inline constexpr uint64_t kDirectoryIndexOffset = uint64_t{32} << 30;  // bytes

// --- Short form, in the inode. Behind the header the parent's number, 4 bytes or, with big_count >
// 0, 8; then entries: name length u8, offset u16 (where the entry would be in a block), name, file
// type u8 (with ftype), inode number 4 or 8 bytes.

// The start of a directory in short form.
struct DiskShortFormHeader {
  uint8_t count;
  uint8_t big_count;
};
static_assert(sizeof(DiskShortFormHeader) == 2);

// --- Blocks of entries. Version 4: magic and three pairs of best free ranges, 16 bytes. Version
// 5: 64. Entries: inode number u64, name length u8, name, file type u8 (with ftype), padding, own
// offset u16 at the end, all a multiple of 8 bytes long. Unused: 0xFFFF u16, length u16, own offset
// u16 at the end.

// The start of a version 5 block of entries.
struct DiskDirectoryDataHeader {
  Be32 magic;
  Le32 crc;
  Be64 block_number;
  Be64 lsn;
  Uuid uuid;
  Be64 owner;
  uint8_t best_free[12];
  Be32 padding;
};
static_assert(sizeof(DiskDirectoryDataHeader) == 64);
inline constexpr uint32_t kDirectoryDataHeaderBytesV4 = 16;
inline constexpr uint16_t kDirectoryFreeTag = 0xFFFF;

inline constexpr uint32_t kDirectoryBlockMagicV4 =
    0x58443242;  // "XD2B": the only block, index at its end
inline constexpr uint32_t kDirectoryBlockMagicV5 = 0x58444233;  // "XDB3"
inline constexpr uint32_t kDirectoryDataMagicV4 = 0x58443244;   // "XD2D"
inline constexpr uint32_t kDirectoryDataMagicV5 = 0x58444433;   // "XDD3"

// At the end of an only block; in front of it are `count` index entries.
struct DiskDirectoryBlockTail {
  Be32 count;
  Be32 stale_count;
};
static_assert(sizeof(DiskDirectoryBlockTail) == 8);

// --- Blocks of the index: leaves with entries sorted by hash, and nodes above them.

// The start of an index block.
struct DiskIndexHeaderV4 {
  Be32 forward;
  Be32 backward;
  Be16 magic;
  Be16 padding;
  Be16 count;
  Be16 stale_or_level;  // leaf: stale entries; node: height above the leaves
};
static_assert(sizeof(DiskIndexHeaderV4) == 16);

// The start of a version 5 index block.
struct DiskIndexHeaderV5 {
  Be32 forward;
  Be32 backward;
  Be16 magic;
  Be16 padding;
  Le32 crc;
  Be64 block_number;
  Be64 lsn;
  Uuid uuid;
  Be64 owner;
  Be16 count;
  Be16 stale_or_level;
  Be32 padding2;
};
static_assert(sizeof(DiskIndexHeaderV5) == 64 && offsetof(DiskIndexHeaderV5, count) == 56);

inline constexpr uint16_t kSingleLeafMagicV4 = 0xD2F1;  // the only index block
inline constexpr uint16_t kSingleLeafMagicV5 = 0x3DF1;
inline constexpr uint16_t kLeafMagicV4 = 0xD2FF;
inline constexpr uint16_t kLeafMagicV5 = 0x3DFF;
inline constexpr uint16_t kNodeMagicV4 = 0xFEBE;
inline constexpr uint16_t kNodeMagicV5 = 0x3EBE;
inline constexpr uint32_t kMostIndexLevels = 5;

// An entry of a leaf or of an only block's index.
struct DiskIndexEntry {
  Be32 hash;
  Be32 address;  // of the directory entry: byte offset / 8; 0: stale
};
static_assert(sizeof(DiskIndexEntry) == 8);

// An entry of a node: the largest hash below `block`.
struct DiskNodeEntry {
  Be32 hash;
  Be32 block;
};
static_assert(sizeof(DiskNodeEntry) == 8);

}  // namespace iomap::xfs
