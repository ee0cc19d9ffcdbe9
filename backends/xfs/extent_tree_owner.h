#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// Makes the inode at byte `inode_address`, which is replayed, the owner of all blocks of its extent
// tree. A defragmentation swaps the trees of two files and logs that alone: the blocks, which say
// whose they are, are changed on the medium in their own time. What is no block of such a tree is
// left to the reader to find. Unavailable (no memory).
absl::Status GiveExtentTree(const ReplayTarget& target, uint64_t inode_address);

}  // namespace iomap::xfs
