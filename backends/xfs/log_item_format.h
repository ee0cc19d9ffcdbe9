#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/xfs/format.h"

// The items that the transactions of an XFS log consist of, in the byte order of the machine that
// wrote them (DiskLogRecordHeader::format); here little-endian, the only one that is read. An item
// is one region that says what it is, and perhaps regions of data. Every first region begins with
// type u16, number of regions u16.

namespace iomap::xfs {

using backends::Le16;
using backends::Le64;

// In front of a transaction's items.
struct DiskTransactionHeader {
  Le32 magic;
  Le32 type;
  Le32 transaction;
  Le32 item_count;
};
static_assert(sizeof(DiskTransactionHeader) == 16);
inline constexpr uint32_t kTransactionMagic = 0x5452414E;  // "TRAN"

// What an item is. The intents of one kind and what says that they are done ("done") come in pairs.
enum class LogItemType : uint16_t {
  kExtentFreeIntent = 0x1236,
  kExtentFreeDone = 0x1237,
  kInode = 0x123B,
  kBuffer = 0x123C,
  kDquot = 0x123D,
  kQuotaOff = 0x123E,
  kInodeCreate = 0x123F,
  kReverseMapIntent = 0x1240,
  kReverseMapDone = 0x1241,
  kRefcountIntent = 0x1242,
  kRefcountDone = 0x1243,
  kMappingIntent = 0x1244,
  kMappingDone = 0x1245,
  kAttributeIntent = 0x1246,
  kAttributeDone = 0x1247,
  kExchangeIntent = 0x1248,
  kExchangeDone = 0x1249,
  kRealtimeExtentFreeIntent = 0x124A,
  kRealtimeExtentFreeDone = 0x124B,
  kRealtimeReverseMapIntent = 0x124C,
  kRealtimeReverseMapDone = 0x124D,
  kRealtimeRefcountIntent = 0x124E,
  kRealtimeRefcountDone = 0x124F,
};

inline constexpr uint32_t kMostRegionsInItem = 257;
inline constexpr size_t kLogItemHeadBytes = 4;  // type and number of regions

// --- Buffers: the chunks of 128 bytes that have changed, a region for each run of them.

// Behind it `map_words` words of 32 bits, a bit a chunk.
struct DiskLogBuffer {
  Le16 type;
  Le16 region_count;
  Le16 flags;
  Le16 block_count;   // basic blocks
  Le64 block_number;  // basic blocks from the start of the device
  Le32 map_words;
};
static_assert(sizeof(DiskLogBuffer) == 20);
inline constexpr uint32_t kLogChunkBytes = 128;
inline constexpr uint32_t kMostLogBufferBlocks = 128;  // no buffer has more than 64 KiB

inline constexpr uint16_t kLogBufferInodes = 0x01;  // of it, only the next_unlinked fields count
inline constexpr uint16_t kLogBufferCancel = 0x02;  // its blocks were freed: forget what is older
inline constexpr uint32_t kLogBufferKindShift = 11;

// What the upper bits of the flags say of the buffer's contents.
enum class LogBufferKind : uint16_t {
  kUnknown = 0,
  kBtree = 4,
  kAgf = 5,
  kFreeList = 6,
  kAgi = 7,
  kInodes = 8,
  kSymlink = 9,
  kDirectoryBlock = 10,
  kDirectoryData = 11,
  kDirectoryFree = 12,
  kSingleLeaf = 13,
  kLeaf = 14,
  kNode = 15,
  kAttributeLeaf = 16,
  kSuperblock = 18,
};

// --- Inodes: this, the inode core, and what has changed of the data and the attribute fork.

// As 64-bit machines lay it out; 32-bit x86 leaves the padding out.
struct DiskLogInodeItem {
  Le16 type;
  Le16 region_count;
  Le32 fields;
  Le16 attribute_bytes;
  Le16 data_bytes;
  Le32 padding;
  Le64 inode;
  Le32 device;
  uint8_t unused[12];
  Le64 block_number;  // of the buffer that the inode lies in, basic blocks
  Le32 block_count;
  Le32 buffer_offset;  // bytes
};
static_assert(sizeof(DiskLogInodeItem) == 56 && offsetof(DiskLogInodeItem, block_number) == 40);
inline constexpr size_t kLogInodeItemBytesX86 = 52;

inline constexpr uint32_t kLogInodeCore = 0x001;
inline constexpr uint32_t kLogInodeDataLocal = 0x002;
inline constexpr uint32_t kLogInodeDataExtents = 0x004;
inline constexpr uint32_t kLogInodeDataRoot = 0x008;
inline constexpr uint32_t kLogInodeDevice = 0x010;
inline constexpr uint32_t kLogInodeAttributeLocal = 0x040;
inline constexpr uint32_t kLogInodeAttributeExtents = 0x080;
inline constexpr uint32_t kLogInodeAttributeRoot = 0x100;
inline constexpr uint32_t kLogInodeDataOwner = 0x200;  // the tree has got a new owner
inline constexpr uint32_t kLogInodeDataFork =
    kLogInodeDataLocal | kLogInodeDataExtents | kLogInodeDataRoot;
inline constexpr uint32_t kLogInodeAttributeFork =
    kLogInodeAttributeLocal | kLogInodeAttributeExtents | kLogInodeAttributeRoot;

// DiskInode in the byte order of the writer. Of versions 1 and 2 only what lies in front of
// next_unlinked is logged.
struct DiskLogInode {
  Le16 magic;
  Le16 mode;
  uint8_t version;
  uint8_t format;
  Le16 link_count_v1;
  Le32 uid;
  Le32 gid;
  Le32 link_count;
  Le16 project_low;
  Le16 project_high;
  Le64 big_extent_count;  // versions 1 and 2: its last two bytes are the flush iteration
  uint8_t access_time[8];
  uint8_t modification_time[8];
  uint8_t change_time[8];
  Le64 size;
  Le64 block_count;
  Le32 extent_size_hint;
  Le32 extent_count;
  Le16 attribute_extent_count;
  uint8_t fork_offset;
  uint8_t attribute_format;
  Le32 dm_event_mask;
  Le16 dm_state;
  Le16 flags;
  Le32 generation;
  Le32 next_unlinked;
  Le32 crc;
  Le64 change_count;
  Le64 lsn;
  Le64 flags2;
  Le32 cow_extent_size_hint;
  uint8_t padding[12];
  uint8_t creation_time[8];
  Le64 inode_number;
  Uuid uuid;
};
static_assert(sizeof(DiskLogInode) == sizeof(DiskInode));
static_assert(offsetof(DiskLogInode, next_unlinked) == 96);
static_assert(offsetof(DiskLogInode, inode_number) == offsetof(DiskInode, inode_number));
inline constexpr uint16_t kMostFlushIteration = 0xFFFF;  // then it begins again at 0

// --- A new chunk of inodes, big-endian behind the head.
struct DiskLogInodeCreate {
  Le16 type;
  Le16 region_count;
  Be32 ag;
  Be32 block_in_ag;
  Be32 count;  // inodes
  Be32 inode_bytes;
  Be32 length;  // blocks
  Be32 generation;
};
static_assert(sizeof(DiskLogInodeCreate) == 28);

// --- A quota record: this, and the record as it lies on the medium.
struct DiskLogDquot {
  Le16 type;
  Le16 region_count;
  Le32 id;
  Le64 block_number;   // of the buffer that it lies in, basic blocks
  Le32 block_count;    // blocks of the file system
  Le32 buffer_offset;  // bytes
};
static_assert(sizeof(DiskLogDquot) == 24);
inline constexpr size_t kDquotBytes = 104;       // what is logged
inline constexpr size_t kDquotBlockBytes = 136;  // with checksum, LSN and UUID behind it
inline constexpr size_t kDquotCrcOffset = 108;
inline constexpr size_t kDquotLsnOffset = 112;

// --- Intents: what was still to be done when the transaction was logged.

// The head of every intent; behind it are its extents. A "done" has the intent's id at the same
// place.
struct DiskLogIntent {
  Le16 type;
  Le16 region_count;
  Le32 extent_count;
  Le64 id;
};
static_assert(sizeof(DiskLogIntent) == 16);

// A range of blocks whose reference count is to change.
struct DiskLogRefcountExtent {
  Le64 start_block;  // fsblock
  Le32 block_count;
  Le32 flags;
};
static_assert(sizeof(DiskLogRefcountExtent) == 16);
inline constexpr uint32_t kRefcountChangeMask = 0xFF;
inline constexpr uint32_t kRefcountIncrease = 1;
inline constexpr uint32_t kRefcountDecrease = 2;
inline constexpr uint32_t kRefcountAllocateStaging = 3;
inline constexpr uint32_t kRefcountFreeStaging = 4;

// A mapping that is to be put into a file, or taken out of it.
struct DiskLogMapExtent {
  Le64 owner;
  Le64 start_block;
  Le64 file_block;
  Le32 block_count;
  Le32 flags;
};
static_assert(sizeof(DiskLogMapExtent) == 32);
inline constexpr uint32_t kMappingChangeMask = 0xFF;
inline constexpr uint32_t kMappingMap = 1;
inline constexpr uint32_t kMappingUnmap = 2;
inline constexpr uint32_t kMappingUnwritten = 0x40000000;
inline constexpr uint32_t kMappingAttributeFork = 0x80000000;

// Ranges of two files that are to change places.
struct DiskLogExchange {
  Le16 type;
  Le16 region_count;
  Le32 padding;
  Le64 id;
  Le64 inode1;
  Le64 inode2;
};
static_assert(sizeof(DiskLogExchange) == 32);

}  // namespace iomap::xfs
