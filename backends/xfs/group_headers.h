#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// The root of one of an allocation group's trees, as its header says: a block that exists and a
// height of at least one level, bounded.
struct BtreeRoot {
  uint64_t fsblock = 0;
  uint32_t levels = 0;
};

// The inode tree's, from the AGI of group `ag`, and the reference-count tree's, from the AGF, which
// has one only with the reflink feature. DataLoss when the header is damaged.
absl::StatusOr<BtreeRoot> ReadInodeBtreeRoot(const Volume& volume, uint32_t ag);
absl::StatusOr<BtreeRoot> ReadRefcountBtreeRoot(const Volume& volume, uint32_t ag);

// What the headers of all groups say. Linux counts like this when it has recovered a log, because a
// log does not hold the superblock's numbers. DataLoss when a header is damaged.
struct GroupCounts {
  uint64_t free_blocks = 0;  // those that the groups keep for their trees too
  uint64_t inodes = 0;       // in chunks that exist
  uint64_t free_inodes = 0;
};
absl::StatusOr<GroupCounts> CountGroups(const Volume& volume);

// The first inode, within the group, of each of the lists of inodes without a name.
using UnlinkedHeads = std::array<uint32_t, 64>;

// The lists of group `ag`, from its AGI. DataLoss when that is damaged.
absl::StatusOr<UnlinkedHeads> ReadUnlinkedHeads(const Volume& volume, uint32_t ag);

}  // namespace iomap::xfs
