#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

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

// Threads that share blocks and write to them, and sync, so that the log is written in the middle
// of operations that take several transactions.
class SharingThreads {
 public:
  SharingThreads() = default;
  ~SharingThreads() { Join(); }

  // Starts them, and returns when they have done some hundreds of operations. They go on.
  absl::Status Start(const std::string& root_path, uint64_t seed);
  // Waits for the threads, which end when the file system, shut down, refuses to serve them.
  void Join();

 private:
  std::vector<std::thread> threads_;
  std::atomic<int> operations_ = 0;
};

}  // namespace iomap::tests
