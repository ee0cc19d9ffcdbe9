#include "backends/xfs/block_map.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/xfs/btree.h"

namespace iomap::xfs {
namespace {

using backends::TreeNode;
using backends::TreePlace;

constexpr BtreeFormat kExtentBtree = {.name = "extent",
                                      .magic_v4 = kExtentBtreeMagicV4,
                                      .magic_v5 = kExtentBtreeMagicV5,
                                      .belongs_to_inode = true,
                                      .record_bytes = sizeof(DiskExtent)};

bool Exists(const Superblock& superblock, bool realtime, const Extent& extent) {
  if (realtime) {
    return extent.block_count > 0 && extent.start_block < superblock.realtime_blocks &&
           extent.block_count <= superblock.realtime_blocks - extent.start_block;
  }
  return superblock.ContainsBlocks(extent.start_block, extent.block_count);
}

absl::Status CheckExtents(const Superblock& superblock, bool realtime, const std::byte* records,
                          uint32_t count, const TreePlace& place) {
  // The end of the last block of a file may be 2^63, one byte past the largest offset.
  const uint64_t most_blocks = uint64_t{1} << (63 - superblock.block_log);
  const uint64_t end = std::min(place.key_end, most_blocks);
  uint64_t next = place.key_begin;
  for (uint32_t i = 0; i < count; ++i) {
    const Extent extent = DecodeExtent(records, i);
    if (extent.file_block < next || extent.end() > end) {
      return absl::DataLossError(absl::StrCat("extent ", i, ", file blocks ", extent.file_block,
                                              " to ", extent.end(), ", is out of order"));
    }
    if (!Exists(superblock, realtime, extent)) {
      return absl::DataLossError(absl::StrCat("extent ", i, " is ", extent.block_count,
                                              " blocks at block ", extent.start_block,
                                              ", which do not exist"));
    }
    next = extent.end();
  }
  return absl::OkStatus();
}

absl::StatusOr<TreeNode> ReadBtreeRoot(const Volume& volume, const Inode& inode) {
  const absl::Span<const std::byte> fork = inode.fork();
  if (fork.size() < sizeof(DiskForkBtreeRoot)) {
    return absl::DataLossError("too small a data fork");
  }
  const auto header = backends::CopyOut<DiskForkBtreeRoot>(fork.data());
  const uint32_t level = header.level.get();
  const uint32_t count = header.record_count.get();
  const uint32_t most = static_cast<uint32_t>(fork.size() - sizeof header) / (2 * sizeof(uint64_t));
  if (level == 0 || level >= kMostBtreeLevels) {
    return absl::DataLossError(absl::StrCat("level ", level, ", from 1 to ", kMostBtreeLevels - 1));
  }
  if (count == 0 || count > most) {
    return absl::DataLossError(absl::StrCat(count, " children, from 1 to ", most));
  }
  const std::byte* const keys = fork.data() + sizeof header;
  return DecodeInnerNode(volume, kExtentBtree, inode.number(), TreePlace{.level = level}, keys,
                         keys + size_t{most} * sizeof(uint64_t), count);
}

absl::StatusOr<TreeNode> ReadUnnamedRoot(const Volume& volume, const Inode& inode) {
  switch (inode.fork_format) {
    case ForkFormat::kDevice:
    case ForkFormat::kLocal:
      return TreeNode{};
    case ForkFormat::kExtents: {
      const uint32_t count = static_cast<uint32_t>(inode.extent_count);
      IOMAP_RETURN_IF_ERROR(CheckExtents(volume.superblock, inode.on_realtime_device,
                                         inode.fork().data(), count, TreePlace{}));
      return TreeNode{.level = 0, .count = count, .records = inode.fork().data()};
    }
    case ForkFormat::kBtree:
      return ReadBtreeRoot(volume, inode);
  }
  return absl::InternalError("a format that ReadInode does not know");
}

}  // namespace

absl::StatusOr<TreeNode> BlockMap::ReadRoot(const Volume& volume, const Inode& inode) {
  absl::StatusOr<TreeNode> root = ReadUnnamedRoot(volume, inode);
  if (!root.ok()) {
    return absl::DataLossError(absl::StrCat(
        "xfs inode ", inode.number(), ", root of the extent tree: ", root.status().message()));
  }
  return root;
}

BlockMap::BlockMap(const Volume& volume, const Inode& inode, TreeNode root)
    : tree_(std::move(root), [&volume, &inode](uint64_t fsblock, const TreePlace& place) {
        return ReadBtreeBlock(
            volume, kExtentBtree, inode.number(), fsblock, place, Emptiness::kRefused,
            [&](const std::byte* records, uint32_t count, const TreePlace& leaf_place) {
              return CheckExtents(volume.superblock, inode.on_realtime_device, records, count,
                                  leaf_place);
            });
      }) {}

absl::StatusOr<Extent> BlockMap::ExtentAtOrBehind(uint64_t file_block) const {
  Extent found;
  IOMAP_RETURN_IF_ERROR(ForEachExtent(file_block, [&](const Extent& extent) {
    if (extent.end() <= file_block) {
      return true;
    }
    found = extent;
    return false;
  }));
  return found;
}

}  // namespace iomap::xfs
