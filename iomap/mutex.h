#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "iomap/scheduler.h"

// The locks of this project. Each has a rank, and a thread takes them in ascending rank; builds
// that are not for release abort, with both names, where one does not. A scheduler, where one is
// current, decides who gets them. They wrap the standard library's (Debian's absl::Mutex makes the
// thread sanitizer report races that are none).

namespace iomap {

// The one order of locks.
enum class LockRank : uint8_t {
  kFreezeWrite,  // a file system that is frozen against whoever changes it (SB_FREEZE_WRITE)
  kIo,           // a file's reads, writes and changes of its extents (Linux's i_rwsem)
  kFreezeFault,  // the same against page faults (SB_FREEZE_PAGEFAULT)
  kInvalidate,   // page faults against changes of extents (invalidate_lock)
  kEntry,        // one entry of an address space
  kTransaction,  // a handle of a transaction
  kMap,          // a file's extents (ILOCK, i_data_sem)
  kGroup,        // an allocation group
  kPageTables,   // the page tables of an address space (i_mmap_rwsem)
  kLeaf,         // nothing is taken below it
};

// "io lock", "invalidate lock", ...
absl::string_view LockRankName(LockRank rank);

namespace internal {

// Book-keeping of the calling thread for locks that are not objects of this header (an entry's):
// the order is checked as for the others.
void NoteLocked(LockRank rank);
void NoteUnlocked(LockRank rank);

}  // namespace internal

// A lock that one thread holds.
class ABSL_LOCKABLE Mutex {
 public:
  explicit Mutex(LockRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void Unlock() ABSL_UNLOCK_FUNCTION();

 private:
  friend class CondVar;

  std::mutex mutex_;
  const LockRank rank_;
};

// Holds a Mutex for a scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition that threads which hold a Mutex wait for.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Lets `mutex` go until notified, and has it again on return; may return without a cause.
  void Wait(Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void NotifyOne();
  void NotifyAll();

 private:
  std::condition_variable condition_;
};

// A lock that one thread holds exclusively or many share. Who wants it exclusively goes before
// those who come later to share it. (A std::shared_mutex prefers readers: a few busy ones keep a
// writer out for ever.) Where nobody waits, each call is one atomic operation, since a file has
// several such locks and a small write takes them all.
//
// Not to be destroyed before every call has returned, the Unlock that let the last holder in
// included: it wakes others after it has let go.
class ABSL_LOCKABLE SharedMutex {
 public:
  explicit SharedMutex(LockRank rank) : rank_(rank) {}
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void Unlock() ABSL_UNLOCK_FUNCTION();
  void LockShared() ABSL_SHARED_LOCK_FUNCTION();
  void UnlockShared() ABSL_UNLOCK_FUNCTION();

 private:
  // What the word says: it is held exclusively; some wait; how many share it.
  static constexpr uint32_t kExclusive = 1;
  static constexpr uint32_t kAwaited = 2;
  static constexpr uint32_t kSharer = 4;

  void WaitExclusive();
  void WaitShared();
  void WakeAll();
  void StopWaiting(uint32_t& waiting);

  std::atomic<uint32_t> word_{0};
  std::mutex mutex_;  // guards the two numbers, and kAwaited, which says that one is not 0
  std::condition_variable changed_;
  uint32_t waiting_exclusive_ = 0;
  uint32_t waiting_shared_ = 0;
  const LockRank rank_;
};

// Holds a SharedMutex exclusively for a scope.
class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~WriterLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

// Shares a SharedMutex for a scope.
class ABSL_SCOPED_LOCKABLE ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.LockShared();
  }
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() { mutex_.UnlockShared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace iomap
