#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/ext4/block_allocator.h"
#include "backends/ext4/extent_node.h"
#include "backends/ext4/inode_record.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// The extent tree of one inode, in memory, to be changed; each change is put in place at once, the
// root through the inode's record. For replay alone: it keeps no bitmaps. Not thread-safe.
class ExtentEditor {
 public:
  // Reads and checks the whole tree of an inode with extents. `volume` and `allocator` outlive the
  // editor. DataLoss when the tree is damaged.
  static absl::StatusOr<ExtentEditor> Read(Volume& volume, BlockAllocator& allocator,
                                           uint32_t inode);

  // Blocks that the tree maps, and blocks that hold its nodes.
  uint64_t data_blocks() const { return data_blocks_; }
  uint64_t node_blocks() const { return node_blocks_; }

  // The last extent that begins at or before file block `file_block`; null when there is none.
  // Lives until the next change.
  const Extent* LastAtOrBefore(uint64_t file_block) const;

  // Makes [begin, end) a hole.
  absl::Status Remove(uint64_t begin, uint64_t end);

  // Makes the extent's file blocks lie where it says, whatever was there. DataLoss when they are
  // not blocks of the volume, or pass the last file block.
  absl::Status Put(const Extent& extent);

 private:
  struct Node {
    uint64_t block = 0;  // 0: the root
    uint32_t level = 0;
    uint64_t key = 0;             // of an inner node's child: where it begins
    std::vector<Extent> extents;  // level 0
    std::vector<Node> children;   // level > 0
    bool changed = false;         // so is then every node above it

    size_t size() const { return level == 0 ? extents.size() : children.size(); }
  };

  ExtentEditor(Volume& volume, BlockAllocator& allocator, uint32_t inode)
      : volume_(&volume), allocator_(&allocator), inode_(inode) {}

  absl::Status ReadChildren(const Inode& inode, const backends::TreeNode& parsed,
                            const backends::TreePlace& place, Node& node);
  static uint64_t FirstKey(const Node& node);
  static size_t ChildFor(const Node& node, uint64_t file_block);
  static size_t PositionIn(const Node& leaf, uint64_t file_block);
  size_t RoomIn(const Node& node) const;
  bool OverflowsRoot(const Extent& extent) const;
  absl::Status Insert(const Extent& extent);
  void RemoveFrom(Node& node, uint64_t begin, uint64_t end);
  // Inserts where nothing is mapped. Returns the new right neighbour of `node` when it had to be
  // split.
  absl::StatusOr<std::unique_ptr<Node>> InsertInto(Node& node, const Extent& extent);
  absl::StatusOr<std::unique_ptr<Node>> SplitIfFull(Node& node, size_t position);
  absl::Status GrowRoot();
  absl::StatusOr<uint64_t> NewBlock();
  absl::Status WriteNode(uint32_t checksum_seed, Node& node);
  absl::Status Write();
  std::vector<std::byte> Encoded(const Node& node, size_t bytes) const;

  Volume* volume_;
  BlockAllocator* allocator_;
  uint32_t inode_;
  Node root_;
  uint64_t data_blocks_ = 0;
  uint64_t node_blocks_ = 0;
};

}  // namespace iomap::ext4
