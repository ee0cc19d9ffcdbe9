#include "backends/xfs/open_files.h"

#include <algorithm>
#include <utility>

#include "iomap/status_macros.h"

namespace iomap::xfs {

absl::StatusOr<std::shared_ptr<File>> OpenFiles::Find(
    InodeNumber inode, absl::FunctionRef<absl::StatusOr<std::shared_ptr<File>>()> open) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = files_.find(inode); found != files_.end()) {
      if (std::shared_ptr<File> file = found->second.lock(); file != nullptr) {
        return file;
      }
    }
  }
  IOMAP_ASSIGN_OR_RETURN(std::shared_ptr<File> opened, open());
  std::shared_ptr<File> replaced;  // destroyed after the lock is let go
  const std::lock_guard<std::mutex> lock(mutex_);
  DropExpired();
  std::weak_ptr<File>& entry = files_[inode];
  if (std::shared_ptr<File> other = entry.lock(); other != nullptr) {
    return other;  // another thread was faster
  }
  entry = opened;
  replaced = std::exchange(recent_[next_recent_], opened);
  next_recent_ = (next_recent_ + 1) % recent_.size();
  return opened;
}

void OpenFiles::DropExpired() {
  if (files_.size() < walk_at_size_) {
    return;
  }
  absl::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
  walk_at_size_ = std::max<size_t>(64, 2 * files_.size());
}

}  // namespace iomap::xfs
