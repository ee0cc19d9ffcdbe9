#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace iomap::tests {

// Loads for an xfs file system mounted at `root_path`, each for one part of its log's recovery.
// Without threads the same seed does the same. Unavailable, with the path, when the file system
// refuses something.

// Names in directories of every form, of which half go away again; more new inodes than a few
// chunks hold.
absl::Status MakeAndRemoveNames(const std::string& root_path, uint64_t seed);

// Files of so many extents that they are in trees; some are truncated, one is removed.
absl::Status FragmentFiles(const std::string& root_path, uint64_t seed);

// Files that share blocks, some of which are then written to, punched, truncated or removed.
absl::Status ShareBlocks(const std::string& root_path, uint64_t seed);

// All of the above.
absl::Status MixLoads(const std::string& root_path, uint64_t seed);

// Threads that share blocks and write to them while another one syncs, so that the log is written
// in the middle of operations that take several transactions.
absl::Status ShareBlocksWhileSyncing(const std::string& root_path, uint64_t seed);

}  // namespace iomap::tests
