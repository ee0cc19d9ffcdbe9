#include "backends/ext4/extent_tree.h"

#include <algorithm>
#include <utility>

#include "backends/endian.h"
#include "backends/ext4/extent_node.h"
#include "backends/ext4/format.h"
#include "iomap/mapping_writer.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::TreeNode;
using backends::TreePlace;
using backends::VerifiedTree;

uint64_t FileBlockAt(const std::byte* records, uint32_t index) {
  return backends::Load<Le32>(records + index * sizeof(DiskExtent));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExtentTree>> ExtentTree::Open(const Volume& volume,
                                                             const Inode& inode) {
  IOMAP_ASSIGN_OR_RETURN(TreeNode root, ParseExtentRoot(volume, inode));
  auto reader = [&volume, &inode](uint64_t address, const TreePlace& child_place) {
    return ReadExtentNode(volume, inode, address, child_place);
  };
  return std::unique_ptr<ExtentTree>(new ExtentTree(volume, std::move(root), std::move(reader)));
}

ExtentTree::ExtentTree(const Volume& volume, TreeNode root, VerifiedTree::NodeReader reader)
    : block_shift_(volume.superblock().block_shift), tree_(std::move(root), std::move(reader)) {}

absl::StatusOr<size_t> ExtentTree::Map(const ByteRange& range, absl::Span<Mapping> out) const {
  const uint32_t block_shift =
      block_shift_;  // a copy: for all the compiler knows, the writer's stores change the member
  MappingWriter writer(range, out);
  uint64_t file_block = range.offset >> block_shift;
  while (file_block < kFileBlocks) {
    IOMAP_ASSIGN_OR_RETURN(const VerifiedTree::Leaf leaf, tree_.FindLeaf(file_block));
    const TreeNode& node = *leaf.node;
    uint32_t i = backends::LastRecordAtOrBefore(node, file_block, FileBlockAt);
    i = i == node.count ? 0 : i;
    const std::byte* const records = node.records;
    for (const uint32_t count = node.count; i < count; ++i) {
      const Extent extent = ExtentAt(records, i);
      const Mapping mapping{
          .offset = extent.file_block << block_shift,
          .length = uint64_t{extent.length} << block_shift,
          .address = extent.start << block_shift,
          .type = extent.unwritten ? MappingType::kUnwritten : MappingType::kMapped};
      if (!writer.Append(mapping)) {
        return writer.count();
      }
    }
    file_block = std::min(leaf.key_end, kFileBlocks);
  }
  writer.AppendHoleUntil(ByteRange::kMaxOffset);
  return writer.count();
}

}  // namespace iomap::ext4
