#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "iomap/attributes.h"

namespace iomap::backends {

// The files of a file system that somebody holds open, so that opening one twice gives the same
// object, and the few that were opened last, so that what they have verified is not verified again
// at the next step of a walk. Safe for concurrent use.
template <typename File>
class OpenFiles {
 public:
  // The open file of `inode`, or what `open()` returns, which becomes it.
  template <typename Open>
  absl::StatusOr<std::shared_ptr<File>> FindOrOpen(InodeNumber inode, Open&& open) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (std::shared_ptr<File> found = Find(inode); found != nullptr) {
        return found;
      }
    }
    absl::StatusOr<std::shared_ptr<File>> opened = open();
    if (!opened.ok()) {
      return opened;
    }
    std::shared_ptr<File> displaced;  // destroyed after the lock is let go
    const std::lock_guard<std::mutex> lock(mutex_);
    if (std::shared_ptr<File> found = Find(inode); found != nullptr) {
      return found;  // another thread was faster
    }
    ForgetClosed();
    files_.insert_or_assign(inode, *opened);
    displaced = std::exchange(recent_[next_recent_], *opened);
    next_recent_ = (next_recent_ + 1) % recent_.size();
    return opened;
  }

 private:
  std::shared_ptr<File> Find(InodeNumber inode) const {
    const auto found = files_.find(inode);
    return found == files_.end() ? nullptr : found->second.lock();
  }

  // Drops closed files whenever the table has doubled since the last time: constant cost a file.
  void ForgetClosed() {
    if (files_.size() < next_sweep_) {
      return;
    }
    absl::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
    next_sweep_ = std::max<size_t>(kLeastSweep, 2 * files_.size());
  }

  static constexpr size_t kLeastSweep = 64;

  std::mutex mutex_;
  absl::flat_hash_map<InodeNumber, std::weak_ptr<File>> files_;  // guarded by mutex_
  size_t next_sweep_ = kLeastSweep;                              // guarded by mutex_
  std::array<std::shared_ptr<File>, 16> recent_;                 // guarded by mutex_
  size_t next_recent_ = 0;                                       // guarded by mutex_
};

}  // namespace iomap::backends
