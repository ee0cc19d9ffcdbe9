#pragma once

#include <cstdint>
#include <limits>

#include "absl/status/statusor.h"
#include "backends/verified_tree.h"
#include "backends/xfs/extent.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {

// Where the blocks of one inode's data fork lie: its list of extents, in the inode or in a B+tree
// whose blocks are verified when they are first passed. A look-up allocates nothing and copies no
// list. Safe for concurrent use.
class BlockMap {
 public:
  // The root in `inode`, checked: what the constructor takes. A fork without extents (local,
  // device) has an empty one. DataLoss when it is damaged.
  static absl::StatusOr<backends::TreeNode> ReadRoot(const Volume& volume, const Inode& inode);

  // Both outlive the map.
  BlockMap(const Volume& volume, const Inode& inode, backends::TreeNode root);

  // Calls visit(const Extent&) for the extents in order, from the one that holds or follows
  // `file_block` (or one before it) on, until it returns false or there are none left.
  template <typename Visit>
  absl::Status ForEachExtent(uint64_t file_block, Visit&& visit) const {
    while (true) {
      IOMAP_ASSIGN_OR_RETURN(const backends::VerifiedTree::Leaf leaf, tree_.FindLeaf(file_block));
      const backends::TreeNode& node = *leaf.node;
      uint32_t index = backends::LastRecordAtOrBefore(node, file_block, DecodeFileBlock);
      if (index == node.count) {
        index = 0;
      }
      for (; index < node.count; ++index) {
        if (!visit(DecodeExtent(node.records, index))) {
          return absl::OkStatus();
        }
      }
      if (leaf.key_end == std::numeric_limits<uint64_t>::max()) {
        return absl::OkStatus();
      }
      file_block = leaf.key_end;
    }
  }

  // The extent that holds `file_block`, or the next one behind it; block_count is 0 when there is
  // none.
  absl::StatusOr<Extent> ExtentAtOrBehind(uint64_t file_block) const;

 private:
  backends::VerifiedTree tree_;
};

}  // namespace iomap::xfs
