#include "backends/xfs/shared_ranges.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

using backends::TreeNode;
using backends::TreePlace;
using backends::VerifiedTree;

// Version 4 has no such tree: no block of it can be right.
constexpr BtreeFormat kRefcountBtree = {.name = "reference count",
                                        .magic_v4 = 0,
                                        .magic_v5 = kRefcountBtreeMagic,
                                        .belongs_to_inode = false,
                                        .record_bytes = sizeof(DiskRefcountRecord)};

DiskRefcountRecord Record(const std::byte* records, uint32_t index) {
  return backends::CopyOut<DiskRefcountRecord>(records +
                                               size_t{index} * sizeof(DiskRefcountRecord));
}

// The key of a record: what copy on write has set aside comes behind every block that exists.
uint64_t StartBlock(const std::byte* records, uint32_t index) {
  return Record(records, index).start_block.get();
}

absl::Status CheckRefcountRecords(const Superblock& superblock, uint32_t ag,
                                  const std::byte* records, uint32_t count,
                                  const TreePlace& place) {
  uint64_t next = place.key_begin;
  for (uint32_t i = 0; i < count; ++i) {
    const DiskRefcountRecord record = Record(records, i);
    const uint64_t key = record.start_block.get();
    const uint64_t block_count = record.block_count.get();
    if (key < next || key >= place.key_end) {
      return absl::DataLossError(absl::StrCat("the record of block ", key, " is out of order"));
    }
    const uint64_t block = key & ~uint64_t{kRefcountStagingBit};
    const uint64_t length = superblock.AgLength(ag);
    if (block_count == 0 || block >= length || block_count > length - block) {
      return absl::DataLossError(
          absl::StrCat("a record of ", block_count, " blocks at ", block, ", which do not exist"));
    }
    next = key + block_count;
  }
  return absl::OkStatus();
}

}  // namespace

SharedRanges::SharedRanges(const Volume& volume, ShareChanges changes)
    : volume_(volume),
      changes_(std::move(changes)),
      trees_(volume, kRefcountBtree, &ReadRefcountBtreeRoot, &CheckRefcountRecords) {}

absl::StatusOr<SharedRange> SharedRanges::At(uint64_t fsblock) {
  IOMAP_ASSIGN_OR_RETURN(const CountedRange counted, InTree(fsblock));
  SharedRange range{counted.begin, counted.end, counted.references > 1};
  if (!changes_.empty()) {
    const ShareChanges::Range changed = changes_.At(fsblock);
    range.begin = std::max(range.begin, changed.begin);
    range.end = std::min(range.end, changed.end);
    range.shared = counted.references + changed.change > 1;
  }
  return range;
}

absl::StatusOr<SharedRanges::CountedRange> SharedRanges::InTree(uint64_t fsblock) {
  const Superblock& superblock = volume_.superblock;
  const uint32_t ag = superblock.AgOfBlock(fsblock);
  const uint64_t block = superblock.BlockInAg(fsblock);
  IOMAP_ASSIGN_OR_RETURN(const VerifiedTree* const tree, trees_.Find(ag));
  IOMAP_ASSIGN_OR_RETURN(const VerifiedTree::Leaf leaf, tree->FindLeaf(block));
  const TreeNode& node = *leaf.node;
  const uint32_t before = backends::LastRecordAtOrBefore(node, block, StartBlock);
  const uint64_t first_block = superblock.FsBlock(ag, 0);
  uint64_t begin = leaf.key_begin;
  if (before < node.count) {
    const DiskRefcountRecord record = Record(node.records, before);
    const uint64_t record_begin = record.start_block.get();
    const uint64_t record_end = record_begin + record.block_count.get();
    if (block < record_end) {
      return CountedRange{first_block + record_begin, first_block + record_end,
                          record.refcount.get()};
    }
    begin = record_end;
  }
  uint64_t end = std::min<uint64_t>(leaf.key_end, superblock.AgLength(ag));
  const uint32_t behind = before < node.count ? before + 1 : 0;
  if (behind < node.count) {
    end = std::min(end, StartBlock(node.records, behind));
  }
  return CountedRange{first_block + begin, first_block + end, 1};
}

}  // namespace iomap::xfs
