#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "backends/xfs/group_trees.h"
#include "backends/xfs/share_changes.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// Blocks that are used equally: all of them more than once, or none of them.
struct SharedRange {
  uint64_t begin = 0;  // fsblocks; a range ends at the end of its allocation group at the latest
  uint64_t end = 0;
  bool shared = false;
};

// Which blocks more than one file, or more than one place, uses: the reference-count B+trees of the
// allocation groups of a file system with reflink. Safe for concurrent use.
class SharedRanges {
 public:
  // `changes` are what the trees do not have yet.
  SharedRanges(const Volume& volume, ShareChanges changes);

  // A range that holds `fsblock`, which exists; its neighbours may be alike. DataLoss when a tree
  // is damaged.
  absl::StatusOr<SharedRange> At(uint64_t fsblock);

 private:
  // What the trees say: the references, and where they are the same.
  struct CountedRange {
    uint64_t begin = 0;
    uint64_t end = 0;
    int64_t references = 1;
  };
  absl::StatusOr<CountedRange> InTree(uint64_t fsblock);

  const Volume& volume_;
  const ShareChanges changes_;
  GroupTrees trees_;
};

}  // namespace iomap::xfs
