#include "backends/xfs/inode_index.h"

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

using backends::TreePlace;
using backends::VerifiedTree;

constexpr BtreeFormat kInodeBtree = {.name = "inode",
                                     .magic_v4 = kInodeBtreeMagicV4,
                                     .magic_v5 = kInodeBtreeMagicV5,
                                     .belongs_to_inode = false,
                                     .record_bytes = sizeof(DiskInodeRecord)};

uint64_t FirstInode(const std::byte* records, uint32_t index) {
  return backends::Load<Be32>(records + size_t{index} * sizeof(DiskInodeRecord));
}

absl::Status CheckInodeRecords(const Superblock& superblock, uint32_t ag, const std::byte* records,
                               uint32_t count, const TreePlace& place) {
  const uint64_t inodes_in_ag = uint64_t{superblock.AgLength(ag)}
                                << superblock.inodes_per_block_log;
  uint64_t next = place.key_begin;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t first = FirstInode(records, i);
    if (first < next || first >= place.key_end) {
      return absl::DataLossError(absl::StrCat("the chunk of inode ", first, " is out of order"));
    }
    if (first >= inodes_in_ag) {
      return absl::DataLossError(absl::StrCat("the chunk of inode ", first, " does not exist"));
    }
    next = first + kInodesPerChunk;
  }
  return absl::OkStatus();
}

bool IsAllocated(const Superblock& superblock, const DiskInodeRecord& record, uint32_t index) {
  if (superblock.has_sparse_inodes() &&
      (record.hole_mask.get() >> (index / kInodesPerHoleBit) & 1) != 0) {
    return false;
  }
  return (record.free_mask.get() >> index & 1) == 0;
}

}  // namespace

InodeIndex::InodeIndex(const Volume& volume)
    : volume_(volume), trees_(volume, kInodeBtree, &ReadInodeBtreeRoot, &CheckInodeRecords) {}

absl::Status InodeIndex::CheckAllocated(InodeNumber number) {
  const Superblock& superblock = volume_.superblock;
  if (!superblock.ContainsInode(number)) {
    return absl::NotFoundError(absl::StrCat("xfs inode ", number, ": no such number"));
  }
  IOMAP_ASSIGN_OR_RETURN(const VerifiedTree* const tree, trees_.Find(superblock.AgOfInode(number)));
  const uint64_t inode_in_ag = superblock.InodeInAg(number);
  IOMAP_ASSIGN_OR_RETURN(const VerifiedTree::Leaf leaf, tree->FindLeaf(inode_in_ag));
  const uint32_t index = backends::LastRecordAtOrBefore(*leaf.node, inode_in_ag, FirstInode);
  if (index < leaf.node->count) {
    const auto record = backends::CopyOut<DiskInodeRecord>(leaf.node->records +
                                                           size_t{index} * sizeof(DiskInodeRecord));
    const uint64_t index_in_chunk = inode_in_ag - record.first_inode.get();
    if (index_in_chunk < kInodesPerChunk &&
        IsAllocated(superblock, record, static_cast<uint32_t>(index_in_chunk))) {
      return absl::OkStatus();
    }
  }
  return absl::NotFoundError(absl::StrCat("xfs inode ", number, ": not allocated"));
}

}  // namespace iomap::xfs
