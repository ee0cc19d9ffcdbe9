#include "iomap/file_locks.h"

namespace iomap {

HeldLock::HeldLock(FileLocks* locks, SharedMutex* mutex,
                   LockMode mode) ABSL_NO_THREAD_SAFETY_ANALYSIS : locks_(locks),
                                                                   mutex_(mutex),
                                                                   mode_(mode) {
  if (mode == LockMode::kShared) {
    mutex_->LockShared();
  } else {
    mutex_->Lock();
  }
}

HeldLock::~HeldLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (locks_ == nullptr) {
    return;
  }
  if (mode_ == LockMode::kShared) {
    mutex_->UnlockShared();
  } else {
    mutex_->Unlock();
  }
}

}  // namespace iomap
