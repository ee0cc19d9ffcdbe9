#include "backends/ext4/block_allocator.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "backends/ext4/bitmap.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {

void BlockAllocator::Exclude(uint64_t first, uint64_t count) {
  uint64_t begin = first;
  uint64_t end = first + count;
  auto next = excluded_.upper_bound(end);
  while (next != excluded_.begin() && std::prev(next)->second >= begin) {
    const auto joined = std::prev(next);
    begin = std::min(begin, joined->first);
    end = std::max(end, joined->second);
    next = excluded_.erase(joined);
  }
  excluded_.emplace(begin, end);
}

bool BlockAllocator::IsExcluded(uint64_t block) const {
  const auto next = excluded_.upper_bound(block);
  return (next != excluded_.begin() && block < std::prev(next)->second) ||
         allocated_.contains(block);
}

absl::StatusOr<uint64_t> BlockAllocator::Allocate(uint64_t goal) {
  const Superblock& superblock = volume_.superblock();
  goal = std::clamp(goal, superblock.first_data_block, superblock.block_count - 1);
  const uint64_t first_group = (goal - superblock.first_data_block) / superblock.blocks_per_group;
  for (uint64_t i = 0; i < superblock.group_count; ++i) {
    const uint64_t group = (first_group + i) % superblock.group_count;
    // Nothing is given back, so what was searched from a place once is in use from there on.
    uint64_t& searched_until = searched_until_[{group, i == 0 ? goal : 0}];
    const uint64_t begin = std::max(searched_until, i == 0 ? goal : 0);
    IOMAP_ASSIGN_OR_RETURN(const uint64_t block, FindInGroup(group, begin));
    searched_until = block != 0 ? block + 1 : std::numeric_limits<uint64_t>::max();
    if (block != 0) {
      allocated_.insert(block);
      return block;
    }
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("ext4: none of ", superblock.block_count, " blocks is free"));
}

absl::StatusOr<uint64_t> BlockAllocator::FindInGroup(uint64_t group, uint64_t begin) {
  const Superblock& superblock = volume_.superblock();
  IOMAP_ASSIGN_OR_RETURN(const Group descriptor, ReadGroup(volume_, group));
  const uint64_t first = superblock.first_data_block + group * superblock.blocks_per_group;
  const uint64_t end = std::min(first + superblock.blocks_per_group, volume_.readable_blocks());
  if (!descriptor.has_block_bitmap) {
    return FindInUnwrittenGroup(first, std::max(first, begin), end);
  }
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bitmap,
                         volume_.Block(descriptor.block_bitmap_block));
  if (!IsBlockBitmapWhole(superblock, descriptor, bitmap)) {
    return 0;  // nobody can tell which of its blocks are free
  }
  // Of a damaged geometry, the bitmap may have fewer bits than the group has clusters.
  const uint64_t cluster_blocks = superblock.blocks_per_cluster;
  const uint64_t last_cluster = std::min<uint64_t>(
      (end - first + cluster_blocks - 1) / cluster_blocks, 8 * uint64_t{bitmap.size()});
  for (uint64_t block = std::max(first, begin); block < end;) {
    const uint64_t cluster = (block - first) / cluster_blocks;
    if (cluster >= last_cluster) {
      break;
    }
    const uint64_t clear = FirstClearBit(bitmap, cluster, last_cluster);
    if (clear != cluster) {
      block = first + clear * cluster_blocks;
      continue;
    }
    if (volume_.HasBlocks(block, 1) && !IsExcluded(block)) {
      return block;
    }
    ++block;
  }
  return 0;
}

// A group whose bitmap was never written holds no file's block, but perhaps copies of the
// superblock and of the descriptors, at its start, and tables and bitmaps of any group.
absl::StatusOr<uint64_t> BlockAllocator::FindInUnwrittenGroup(uint64_t first, uint64_t begin,
                                                              uint64_t end) {
  const Superblock& superblock = volume_.superblock();
  if (!has_excluded_metadata_) {
    has_excluded_metadata_ = true;
    for (uint64_t group = 0; group < superblock.group_count; ++group) {
      IOMAP_ASSIGN_OR_RETURN(const Group descriptor, ReadGroup(volume_, group));
      Exclude(descriptor.block_bitmap_block, 1);
      Exclude(descriptor.inode_bitmap_block, 1);
      Exclude(descriptor.inode_table_block, InodeTableBlocks(superblock));
    }
  }
  const uint64_t descriptors_per_block = superblock.block_size / superblock.descriptor_size;
  const uint64_t descriptor_blocks = superblock.group_count / descriptors_per_block + 1;
  const uint64_t most_reserved_blocks = superblock.block_size / sizeof(Le32);  // for growth
  const uint64_t behind_copies = first + 1 + descriptor_blocks + most_reserved_blocks;
  for (uint64_t block = std::max(begin, behind_copies); block < end; ++block) {
    if (volume_.HasBlocks(block, 1) && !IsExcluded(block)) {
      return block;
    }
  }
  return 0;
}

}  // namespace iomap::ext4
