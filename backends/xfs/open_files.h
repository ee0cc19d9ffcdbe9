#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "backends/xfs/file.h"
#include "iomap/attributes.h"

namespace iomap::xfs {

// The files of one file system that somebody holds, so that an inode that is opened twice is one
// File, and the few that were used last, so that a walk down a path does not verify the same blocks
// again at every step. Safe for concurrent use.
class OpenFiles {
 public:
  // The file of `inode`; `open` makes it when nobody has it. `open` is called without a lock held.
  absl::StatusOr<std::shared_ptr<File>> Find(
      InodeNumber inode, absl::FunctionRef<absl::StatusOr<std::shared_ptr<File>>()> open);

 private:
  // Drops those that nobody holds any more, when there are enough of them to be worth a walk.
  void DropExpired();

  std::mutex mutex_;
  absl::flat_hash_map<InodeNumber, std::weak_ptr<File>>
      files_;  // guarded by mutex_, as what follows
  size_t walk_at_size_ = 64;
  std::array<std::shared_ptr<File>, 16> recent_;
  size_t next_recent_ = 0;
};

}  // namespace iomap::xfs
