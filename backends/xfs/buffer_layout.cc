#include "backends/xfs/buffer_layout.h"

#include "backends/xfs/directory_format.h"

namespace iomap::xfs {
namespace {

constexpr uint32_t kBlockSpaceBtreeMagic = 0x41423342;  // "AB3B"
constexpr uint32_t kSizeSpaceBtreeMagic = 0x41423343;   // "AB3C"
constexpr uint32_t kFreeInodeBtreeMagic = 0x46494233;   // "FIB3"
constexpr uint32_t kReverseMapBtreeMagic = 0x524D4233;  // "RMB3"
constexpr uint32_t kFreeListMagic = 0x5841464C;         // "XAFL"
constexpr uint32_t kDirectoryFreeMagic = 0x58444633;    // "XDF3"
constexpr uint32_t kAttributeLeafMagic = 0x3BEE;

constexpr BufferLayout ShortBtree(uint32_t magic) {
  return {LogBufferKind::kBtree,
          magic,
          0,
          4,
          offsetof(DiskShortBtreeHeader, crc),
          offsetof(DiskShortBtreeHeader, lsn),
          offsetof(DiskShortBtreeHeader, uuid)};
}

constexpr BufferLayout DirectoryData(LogBufferKind kind, uint32_t magic) {
  return {kind,
          magic,
          0,
          4,
          offsetof(DiskDirectoryDataHeader, crc),
          offsetof(DiskDirectoryDataHeader, lsn),
          offsetof(DiskDirectoryDataHeader, uuid)};
}

constexpr BufferLayout Index(LogBufferKind kind, uint32_t magic) {
  return {kind,
          magic,
          offsetof(DiskIndexHeaderV5, magic),
          2,
          offsetof(DiskIndexHeaderV5, crc),
          offsetof(DiskIndexHeaderV5, lsn),
          offsetof(DiskIndexHeaderV5, uuid)};
}

// Those with a magic number of 4 bytes first: it tells more than one of 2.
constexpr BufferLayout kLayouts[] = {
    ShortBtree(kBlockSpaceBtreeMagic),
    ShortBtree(kSizeSpaceBtreeMagic),
    ShortBtree(kInodeBtreeMagicV5),
    ShortBtree(kFreeInodeBtreeMagic),
    ShortBtree(kReverseMapBtreeMagic),
    ShortBtree(kRefcountBtreeMagic),
    {LogBufferKind::kBtree, kExtentBtreeMagicV5, 0, 4, offsetof(DiskLongBtreeHeader, crc),
     offsetof(DiskLongBtreeHeader, lsn), offsetof(DiskLongBtreeHeader, uuid)},
    {LogBufferKind::kAgf, kAgfMagic, 0, 4, offsetof(DiskAgf, crc), offsetof(DiskAgf, lsn),
     offsetof(DiskAgf, uuid)},
    {LogBufferKind::kFreeList, kFreeListMagic, 0, 4, 32, 24, 8},
    {LogBufferKind::kAgi, kAgiMagic, 0, 4, offsetof(DiskAgi, crc), offsetof(DiskAgi, lsn),
     offsetof(DiskAgi, uuid)},
    {LogBufferKind::kSymlink, kSymlinkMagic, 0, 4, offsetof(DiskSymlinkHeader, crc),
     offsetof(DiskSymlinkHeader, lsn), offsetof(DiskSymlinkHeader, uuid)},
    DirectoryData(LogBufferKind::kDirectoryBlock, kDirectoryBlockMagicV5),
    DirectoryData(LogBufferKind::kDirectoryData, kDirectoryDataMagicV5),
    DirectoryData(LogBufferKind::kDirectoryFree, kDirectoryFreeMagic),
    {LogBufferKind::kSuperblock, kSuperblockMagic, 0, 4, offsetof(DiskSuperblock, crc),
     offsetof(DiskSuperblock, lsn), offsetof(DiskSuperblock, uuid)},
    Index(LogBufferKind::kSingleLeaf, kSingleLeafMagicV5),
    Index(LogBufferKind::kLeaf, kLeafMagicV5),
    Index(LogBufferKind::kNode, kNodeMagicV5),
    Index(LogBufferKind::kAttributeLeaf, kAttributeLeafMagic),
};

}  // namespace

const BufferLayout* LayoutOf(absl::Span<const std::byte> block) {
  if (block.size() < kLeastSectorSize) {
    return nullptr;
  }
  for (const BufferLayout& layout : kLayouts) {
    const std::byte* const magic = block.data() + layout.magic_offset;
    const uint32_t found =
        layout.magic_bytes == 4 ? backends::Load<Be32>(magic) : backends::Load<Be16>(magic);
    if (found == layout.magic) {
      return &layout;
    }
  }
  return nullptr;
}

}  // namespace iomap::xfs
