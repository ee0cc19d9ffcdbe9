#include "backends/xfs/group_headers.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint32_t kAgfSector = 1;
constexpr uint32_t kAgiSector = 2;

template <typename... What>
absl::Status Damaged(const char* name, uint32_t ag, const What&... what) {
  return absl::DataLossError(
      absl::StrCat("xfs ", name, " of allocation group ", ag, ": ", what...));
}

// Both headers begin with magic, version, group and length, and a version 5 one has UUID and
// checksum.
template <typename Header>
absl::StatusOr<Header> ReadHeader(const Volume& volume, uint32_t ag, uint32_t sector,
                                  const char* name, uint32_t magic) {
  const Superblock& superblock = volume.superblock;
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes,
                         volume.main_device().View(ByteRange{superblock.AddressOfHeader(ag, sector),
                                                             superblock.sector_size}));
  const auto header = backends::CopyOut<Header>(bytes.data());
  if (header.magic.get() != magic) {
    return Damaged(name, ag, "magic number ", absl::Hex(header.magic.get(), absl::kZeroPad8));
  }
  if (superblock.is_v5()) {
    if (!ChecksumMatches(bytes, offsetof(Header, crc))) {
      return Damaged(name, ag, "checksum is wrong");
    }
    if (header.uuid != superblock.meta_uuid) {
      return Damaged(name, ag, "it carries the UUID of another file system");
    }
  }
  if (header.version.get() != 1) {
    return Damaged(name, ag, "version ", header.version.get());
  }
  if (header.ag_number.get() != ag) {
    return Damaged(name, ag, "it says that it is group ", header.ag_number.get());
  }
  if (header.length.get() != superblock.AgLength(ag)) {
    return Damaged(name, ag, "a length of ", header.length.get(), " blocks, not ",
                   superblock.AgLength(ag));
  }
  return header;
}

absl::StatusOr<DiskAgi> ReadAgi(const Volume& volume, uint32_t ag) {
  return ReadHeader<DiskAgi>(volume, ag, kAgiSector, "AGI", kAgiMagic);
}

absl::StatusOr<DiskAgf> ReadAgf(const Volume& volume, uint32_t ag) {
  return ReadHeader<DiskAgf>(volume, ag, kAgfSector, "AGF", kAgfMagic);
}

absl::StatusOr<BtreeRoot> CheckRoot(const Volume& volume, uint32_t ag, const char* name,
                                    uint32_t block_in_ag, uint32_t levels) {
  const uint64_t fsblock = volume.superblock.FsBlock(ag, 0) + block_in_ag;
  if (volume.superblock.AgOfBlock(fsblock) != ag || !volume.superblock.ContainsBlocks(fsblock, 1)) {
    return Damaged(name, ag, "a tree root at block ", block_in_ag, ", which does not exist");
  }
  if (levels == 0 || levels > kMostBtreeLevels) {
    return Damaged(name, ag, "a tree of ", levels, " levels, from 1 to ", kMostBtreeLevels);
  }
  return BtreeRoot{fsblock, levels};
}

}  // namespace

absl::StatusOr<BtreeRoot> ReadInodeBtreeRoot(const Volume& volume, uint32_t ag) {
  IOMAP_ASSIGN_OR_RETURN(const DiskAgi agi, ReadAgi(volume, ag));
  return CheckRoot(volume, ag, "AGI", agi.root.get(), agi.levels.get());
}

absl::StatusOr<UnlinkedHeads> ReadUnlinkedHeads(const Volume& volume, uint32_t ag) {
  IOMAP_ASSIGN_OR_RETURN(const DiskAgi agi, ReadAgi(volume, ag));
  UnlinkedHeads heads;
  std::transform(std::begin(agi.unlinked), std::end(agi.unlinked), heads.begin(),
                 [](const Be32& head) { return head.get(); });
  return heads;
}

absl::StatusOr<BtreeRoot> ReadRefcountBtreeRoot(const Volume& volume, uint32_t ag) {
  IOMAP_ASSIGN_OR_RETURN(const DiskAgf agf, ReadAgf(volume, ag));
  return CheckRoot(volume, ag, "AGF", agf.refcount_root.get(), agf.refcount_levels.get());
}

absl::StatusOr<GroupCounts> CountGroups(const Volume& volume) {
  GroupCounts counts;
  for (uint32_t ag = 0; ag < volume.superblock.ag_count; ++ag) {
    IOMAP_ASSIGN_OR_RETURN(const DiskAgf agf, ReadAgf(volume, ag));
    IOMAP_ASSIGN_OR_RETURN(const DiskAgi agi, ReadAgi(volume, ag));
    counts.free_blocks += uint64_t{agf.free_blocks.get()} + agf.free_list[2].get();
    counts.free_blocks += agf.btree_blocks.get();
    counts.inodes += agi.inode_count.get();
    counts.free_inodes += agi.free_inodes.get();
  }
  return counts;
}

}  // namespace iomap::xfs
