#pragma once

#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// Makes the inode at byte `inode_address`, which is replayed, the owner of all blocks of its extent
// tree. A defragmentation swaps the trees of two files and logs that alone: the blocks, which say
// whose they are, are changed on the medium in their own time. What is no block of such a tree is
// left to the reader to find. Unavailable (no memory).
//
// `passed` holds the blocks that were looked at, for this inode and others: a tree that names a
// block twice is not endless, and no number of inodes makes one tree be walked more than once.
absl::Status GiveExtentTree(const ReplayTarget& target, uint64_t inode_address,
                            absl::flat_hash_set<uint64_t>& passed);

}  // namespace iomap::xfs
