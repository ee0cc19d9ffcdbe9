#include "iomap/mutex.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "iomap/check.h"

namespace iomap {
namespace {

// How many locks of each rank the calling thread holds. Threads of a scheduler share one thread of
// the operating system, and find wrong orders as deadlocks: they are not counted.
class HeldLocks {
 public:
  void Add(LockRank rank) {
#ifdef IOMAP_CHECK_LOCK_ORDER
    // Two files' locks are taken in one operation, and a run of entries; two leaves never. An
    // entry's lock is taken under the leaf lock of its table, and only when it is free.
    const bool alone = rank == LockRank::kLeaf || rank == LockRank::kTransaction;
    const size_t first_forbidden = static_cast<size_t>(rank) + (alone ? 0 : 1);
    const size_t end = rank == LockRank::kEntry ? counts_.size() - 1 : counts_.size();
    for (size_t held = first_forbidden; held < end; ++held) {
      if (counts_[held] > 0) {
        std::fprintf(stderr, "lock order: %s is taken below %s\n", Name(rank),
                     Name(static_cast<LockRank>(held)));
        std::abort();
      }
    }
    ++counts_[static_cast<size_t>(rank)];
#else
    static_cast<void>(rank);
#endif
  }

  void Remove(LockRank rank) {
#ifdef IOMAP_CHECK_LOCK_ORDER
    --counts_[static_cast<size_t>(rank)];
#else
    static_cast<void>(rank);
#endif
  }

 private:
#ifdef IOMAP_CHECK_LOCK_ORDER
  static const char* Name(LockRank rank) { return LockRankName(rank).data(); }

  std::array<uint16_t, static_cast<size_t>(LockRank::kLeaf) + 1> counts_ = {};
#endif
};

constinit thread_local HeldLocks held_locks;

}  // namespace

absl::string_view LockRankName(LockRank rank) {
  switch (rank) {
    case LockRank::kFreezeWrite:
      return "freeze lock of writes";
    case LockRank::kFreezeFault:
      return "freeze lock of faults";
    case LockRank::kIo:
      return "io lock";
    case LockRank::kInvalidate:
      return "invalidate lock";
    case LockRank::kEntry:
      return "entry lock";
    case LockRank::kTransaction:
      return "transaction handle";
    case LockRank::kMap:
      return "map lock";
    case LockRank::kGroup:
      return "group lock";
    case LockRank::kPageTables:
      return "page tables' lock";
    case LockRank::kLeaf:
      return "leaf lock";
  }
  return "lock";
}

namespace internal {

void NoteLocked(LockRank rank) {
  if (Scheduler::Current() == nullptr) {
    held_locks.Add(rank);
  }
}

void NoteUnlocked(LockRank rank) {
  if (Scheduler::Current() == nullptr) {
    held_locks.Remove(rank);
  }
}

}  // namespace internal

void Mutex::Lock() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Acquire(this, LockMode::kExclusive, LockRankName(rank_));
    return;
  }
  held_locks.Add(rank_);
  mutex_.lock();
}

void Mutex::Unlock() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Release(this, LockMode::kExclusive);
    return;
  }
  mutex_.unlock();
  held_locks.Remove(rank_);
}

void CondVar::Wait(Mutex& mutex) {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Wait(this, &mutex);
    return;
  }
  std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
  condition_.wait(lock);
  lock.release();
}

void CondVar::NotifyOne() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->NotifyOne(this);
    return;
  }
  condition_.notify_one();
}

void CondVar::NotifyAll() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->NotifyAll(this);
    return;
  }
  condition_.notify_all();
}

void SharedMutex::Lock() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Acquire(this, LockMode::kExclusive, LockRankName(rank_));
    return;
  }
  held_locks.Add(rank_);
  uint32_t free = 0;
  if (!word_.compare_exchange_strong(free, kExclusive, std::memory_order_acquire,
                                     std::memory_order_relaxed)) [[unlikely]] {
    WaitExclusive();
  }
}

void SharedMutex::Unlock() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Release(this, LockMode::kExclusive);
    return;
  }
  if ((word_.fetch_sub(kExclusive, std::memory_order_release) & kAwaited) != 0) [[unlikely]] {
    WakeAll();
  }
  held_locks.Remove(rank_);
}

void SharedMutex::LockShared() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Acquire(this, LockMode::kShared, LockRankName(rank_));
    return;
  }
  held_locks.Add(rank_);
  uint32_t word = word_.load(std::memory_order_relaxed);
  while ((word & (kExclusive | kAwaited)) == 0) [[likely]] {
      if (word_.compare_exchange_weak(word, word + kSharer, std::memory_order_acquire,
                                      std::memory_order_relaxed)) [[likely]] {
        return;
      }
    }
  WaitShared();
}

void SharedMutex::UnlockShared() {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Release(this, LockMode::kShared);
    return;
  }
  if (word_.fetch_sub(kSharer, std::memory_order_release) == (kSharer | kAwaited)) [[unlikely]] {
    WakeAll();
  }
  held_locks.Remove(rank_);
}

void SharedMutex::WaitExclusive() {
  std::unique_lock<std::mutex> lock(mutex_);
  ++waiting_exclusive_;
  word_.fetch_or(kAwaited, std::memory_order_relaxed);
  // Who lets go sees kAwaited and needs mutex_ to wake us: it cannot come between look and wait.
  uint32_t free = kAwaited;
  while (!word_.compare_exchange_strong(free, kAwaited | kExclusive, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
    changed_.wait(lock);
    free = kAwaited;
  }
  StopWaiting(waiting_exclusive_);
}

void SharedMutex::WaitShared() {
  std::unique_lock<std::mutex> lock(mutex_);
  ++waiting_shared_;
  uint32_t word = word_.fetch_or(kAwaited, std::memory_order_relaxed) | kAwaited;
  while (true) {
    if (waiting_exclusive_ > 0 || (word & kExclusive) != 0) {
      changed_.wait(lock);
      word = word_.load(std::memory_order_relaxed);
    } else if (word_.compare_exchange_weak(word, word + kSharer, std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
      break;
    }
  }
  StopWaiting(waiting_shared_);
}

void SharedMutex::StopWaiting(uint32_t& waiting) {
  --waiting;
  if (waiting_exclusive_ + waiting_shared_ == 0) {
    word_.fetch_and(~kAwaited, std::memory_order_relaxed);
  }
}

void SharedMutex::WakeAll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
}

}  // namespace iomap
