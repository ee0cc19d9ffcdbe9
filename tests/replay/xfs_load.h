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

// Threads that work on a mounted xfs file system until it is shut down under them.
class ThreadedLoad {
 public:
  virtual ~ThreadedLoad() = default;

  // Starts them, and returns when it is time to shut down. They go on.
  virtual absl::Status Start(const std::string& root_path, uint64_t seed) = 0;
  // Waits for the threads, which end when the file system refuses to serve them.
  virtual void Join() = 0;
};

// Threads that share blocks and write to them, and sync, so that the log is written in the middle
// of operations that take several transactions.
class SharingThreads : public ThreadedLoad {
 public:
  ~SharingThreads() override { Join(); }

  // Returns when they have done some hundreds of operations.
  absl::Status Start(const std::string& root_path, uint64_t seed) override;
  void Join() override;

 private:
  std::vector<std::thread> threads_;
  std::atomic<int> operations_ = 0;
};

// Two threads in an operation on files of thousands of extents, a chain of as many transactions. It
// is time to shut down when both are in the middle of it: the log, if it is written then, has the
// intents that the next links would finish.
class LongOperation : public ThreadedLoad {
 public:
  enum class Kind { kTruncateShared, kTruncateOwn, kClone };

  explicit LongOperation(Kind kind) : kind_(kind) {}
  ~LongOperation() override { Join(); }

  absl::Status Start(const std::string& root_path, uint64_t seed) override;
  void Join() override;

 private:
  const Kind kind_;
  std::vector<std::thread> threads_;
};

}  // namespace iomap::tests
