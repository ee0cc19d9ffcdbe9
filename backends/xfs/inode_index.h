#pragma once

#include "absl/status/status.h"
#include "backends/xfs/group_trees.h"
#include "backends/xfs/volume.h"
#include "iomap/attributes.h"

namespace iomap::xfs {

// Which inodes exist: the inode B+trees of the allocation groups. Safe for concurrent use.
class InodeIndex {
 public:
  explicit InodeIndex(const Volume& volume);

  // OK when inode `number` is allocated, NotFound when it is not, DataLoss when the tree is
  // damaged.
  absl::Status CheckAllocated(InodeNumber number);

 private:
  const Volume& volume_;
  GroupTrees trees_;
};

}  // namespace iomap::xfs
