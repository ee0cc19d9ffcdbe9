#include "backends/ext4/extent_node.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::CopyOut;
using backends::TreeNode;
using backends::TreePlace;
using Bytes = absl::Span<const std::byte>;

// Checks the header and the records of one node, which is the root when `address` is 0.
class NodeParser {
 public:
  NodeParser(const Volume& volume, uint32_t inode, uint64_t address, const TreePlace& place)
      : volume_(volume), inode_(inode), address_(address), place_(place) {}

  // `bytes` is the node with room for `room` records behind the header.
  absl::StatusOr<TreeNode> Parse(Bytes bytes, uint32_t room) const {
    const auto header = CopyOut<DiskExtentHeader>(bytes.data());
    if (header.magic.get() != kExtentMagic) {
      return Damaged("magic", header.magic.get(), absl::StrCat("not ", kExtentMagic));
    }
    if (header.depth.get() != place_.level) {
      return Damaged("depth", header.depth.get(), absl::StrCat("expected ", place_.level));
    }
    if (header.max.get() > room) {
      return Damaged("room for records", header.max.get(), absl::StrCat("at most ", room));
    }
    if (header.entries.get() > header.max.get()) {
      return Damaged("records", header.entries.get(), absl::StrCat("at most ", header.max.get()));
    }
    const bool may_be_empty = address_ == 0 && place_.level == 0;
    if (header.entries.get() == 0 && !may_be_empty) {
      return Damaged("records", 0, "at least 1");
    }
    TreeNode node{.level = place_.level,
                  .count = header.entries.get(),
                  .records = bytes.data() + sizeof(DiskExtentHeader)};
    IOMAP_RETURN_IF_ERROR(place_.level == 0 ? CheckExtents(node) : ReadChildren(node));
    return node;
  }

  absl::Status Damaged(absl::string_view what, uint64_t value, absl::string_view expected) const {
    const std::string where =
        address_ == 0 ? "extent root" : absl::StrCat("extent block ", address_);
    return absl::DataLossError(
        absl::StrCat("ext4 inode ", inode_, ", ", where, ": ", what, " ", value, ", ", expected));
  }

 private:
  absl::Status CheckExtents(const TreeNode& node) const {
    uint64_t next = place_.key_begin;
    for (uint32_t i = 0; i < node.count; ++i) {
      const Extent extent = ExtentAt(node.records, i);
      if (extent.length == 0) {
        return Damaged("length of record", i, "0 blocks");
      }
      const uint64_t most = std::min(place_.key_end, kFileBlocks);
      if (extent.file_block < next || extent.file_block + extent.length > most) {
        return Damaged("file block", extent.file_block,
                       absl::StrCat("out of order, or outside ", place_.key_begin, " to ", most));
      }
      if (!volume_.HasBlocks(extent.start, extent.length)) {
        return Damaged("extent at block", extent.start,
                       absl::StrCat(extent.length, " blocks, the file system has ",
                                    volume_.readable_blocks()));
      }
      next = extent.file_block + extent.length;
    }
    return absl::OkStatus();
  }

  absl::Status ReadChildren(TreeNode& node) const {
    node.keys.reserve(node.count);
    node.children.reserve(node.count);
    for (uint32_t i = 0; i < node.count; ++i) {
      const auto index = CopyOut<DiskExtentIndex>(node.records + i * sizeof(DiskExtentIndex));
      const uint64_t key = index.file_block.get();
      const uint64_t child = index.child_lo.get() | uint64_t{index.child_hi.get()} << 32;
      const bool ascends = i == 0 ? key >= place_.key_begin : key > node.keys.back();
      if (!ascends || key >= place_.key_end) {
        return Damaged(
            "index of file block", key,
            absl::StrCat("out of order, or outside ", place_.key_begin, " to ", place_.key_end));
      }
      if (!volume_.HasBlocks(child, 1)) {
        return Damaged("child at block", child,
                       absl::StrCat("the file system has ", volume_.readable_blocks()));
      }
      node.keys.push_back(key);
      node.children.push_back(child);
    }
    return absl::OkStatus();
  }

  const Volume& volume_;
  const uint32_t inode_;
  const uint64_t address_;
  const TreePlace& place_;
};

}  // namespace

absl::StatusOr<TreeNode> ParseExtentRoot(const Volume& volume, const Inode& inode) {
  const uint16_t depth = CopyOut<DiskExtentHeader>(inode.block.data()).depth.get();
  const TreePlace place{.level = depth, .key_begin = 0, .key_end = kFileBlocks};
  const NodeParser parser(volume, inode.number, /*address=*/0, place);
  if (depth > kMostExtentDepth) {
    return parser.Damaged("depth", depth, absl::StrCat("at most ", kMostExtentDepth));
  }
  const uint32_t room = (inode.block.size() - sizeof(DiskExtentHeader)) / sizeof(DiskExtent);
  return parser.Parse(inode.block, room);
}

absl::StatusOr<TreeNode> ReadExtentNode(const Volume& volume, const Inode& inode, uint64_t block,
                                        const TreePlace& place) {
  const Superblock& superblock = volume.superblock();
  const NodeParser parser(volume, inode.number, block, place);
  IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, volume.Block(block));
  const uint32_t room = (superblock.block_size - sizeof(DiskExtentHeader)) / sizeof(DiskExtent);
  if (superblock.has_metadata_checksums()) {
    // The checksum follows the room that the header claims, not the end of the block.
    const size_t tail = sizeof(DiskExtentHeader) +
                        CopyOut<DiskExtentHeader>(bytes.data()).max.get() * sizeof(DiskExtent);
    if (tail + sizeof(Le32) > bytes.size()) {
      return parser.Damaged("checksum at byte", tail, "past the block");
    }
    const uint32_t stored = backends::Load<Le32>(bytes.data() + tail);
    const uint32_t computed = backends::ExtendCrc32c(inode.checksum_seed, bytes.first(tail));
    if (stored != computed) {
      return parser.Damaged("checksum", stored, absl::StrCat("computed ", computed));
    }
  }
  return parser.Parse(bytes, room);
}

}  // namespace iomap::ext4
