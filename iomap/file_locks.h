#pragma once

#include <utility>

#include "iomap/mutex.h"

namespace iomap {

class FileLocks;

// Tokens of a file's two locks: a function that needs one takes its token as a parameter. Each is a
// scope that holds its lock, can be moved, and lets go at its end. `Held` says "in either mode".
class IoHeld;
class IoShared;
class IoExclusive;
class InvalidateHeld;
class InvalidateShared;
class InvalidateExclusive;

// What tokens of one lock have in common; its thread lets go of it, nobody else.
class HeldLock {
 public:
  // True when this token is one of `locks`.
  bool guards(const FileLocks& locks) const { return locks_ == &locks; }

  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 protected:
  HeldLock(FileLocks* locks, SharedMutex* mutex, LockMode mode);
  HeldLock(HeldLock&& other) noexcept
      : locks_(std::exchange(other.locks_, nullptr)), mutex_(other.mutex_), mode_(other.mode_) {}
  ~HeldLock();

 private:
  FileLocks* locks_;  // null: moved from
  SharedMutex* const mutex_;
  const LockMode mode_;
};

// The io lock, in either mode.
class IoHeld : public HeldLock {
 protected:
  using HeldLock::HeldLock;
};

// The io lock, shared.
class IoShared final : public IoHeld {
 private:
  friend class FileLocks;
  IoShared(FileLocks* locks, SharedMutex* mutex) : IoHeld(locks, mutex, LockMode::kShared) {}
};

// The io lock, exclusively.
class IoExclusive final : public IoHeld {
 private:
  friend class FileLocks;
  IoExclusive(FileLocks* locks, SharedMutex* mutex) : IoHeld(locks, mutex, LockMode::kExclusive) {}
};

// The invalidate lock, in either mode.
class InvalidateHeld : public HeldLock {
 protected:
  using HeldLock::HeldLock;
};

// The invalidate lock, shared.
class InvalidateShared final : public InvalidateHeld {
 private:
  friend class FileLocks;
  InvalidateShared(FileLocks* locks, SharedMutex* mutex)
      : InvalidateHeld(locks, mutex, LockMode::kShared) {}
};

// The invalidate lock, exclusively.
class InvalidateExclusive final : public InvalidateHeld {
 private:
  friend class FileLocks;
  InvalidateExclusive(FileLocks* locks, SharedMutex* mutex)
      : InvalidateHeld(locks, mutex, LockMode::kExclusive) {}
};

// A file's locks, in the order in which they are taken:
//
//   io lock          shared by reads; exclusive in writes and in whatever changes extents. Never
//                    taken in a page fault, since whoever holds it may touch user memory.
//   invalidate lock  shared by page faults and fsync; exclusive in whatever takes extents away from
//                    under mapped pages. No user memory is touched below it.
//
// Safe for concurrent use.
class FileLocks {
 public:
  IoShared LockIoShared() { return {this, &io_}; }
  IoExclusive LockIoExclusive() { return {this, &io_}; }
  InvalidateShared LockInvalidateShared() { return {this, &invalidate_}; }
  InvalidateExclusive LockInvalidateExclusive() { return {this, &invalidate_}; }

 private:
  SharedMutex io_{LockRank::kIo};
  SharedMutex invalidate_{LockRank::kInvalidate};
};

}  // namespace iomap
