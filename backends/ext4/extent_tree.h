#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "backends/verified_tree.h"
#include "iomap/byte_range.h"
#include "iomap/mapping.h"

namespace iomap::ext4 {

// The extents of one inode: a tree of any depth up to kMostExtentDepth with its root in the inode.
// Safe for concurrent use.
class ExtentTree {
 public:
  // `volume` and `inode` outlive the tree and stay where they are. DataLoss when the root is
  // damaged.
  static absl::StatusOr<std::unique_ptr<ExtentTree>> Open(const Volume& volume, const Inode& inode);

  // As iomap::File::MapForRead.
  absl::StatusOr<size_t> Map(const ByteRange& range, absl::Span<Mapping> out) const;

 private:
  ExtentTree(const Volume& volume, backends::TreeNode root,
             backends::VerifiedTree::NodeReader reader);

  const uint32_t block_shift_;
  const backends::VerifiedTree tree_;
};

}  // namespace iomap::ext4
