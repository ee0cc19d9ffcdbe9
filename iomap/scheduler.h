#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "iomap/byte_range.h"

namespace iomap {

// How a lock is held.
enum class LockMode : uint8_t { kShared, kExclusive };

// What a thread is about to do where it offers to let others go first, apart from taking locks.
enum class Step : uint8_t {
  kBegin,       // an operation of a scenario begins
  kLoad,        // a load through a mapping
  kStore,       // a store through a mapping, or to a device
  kEntryFlush,  // cache lines are flushed
  kDrain,       // a drain
  kPromise,     // a durable call returns
};

// Whether a step changes what it touches. Two steps of different threads that touch the same bytes
// of the same object can be swapped without a difference when neither does.
enum class Effect : uint8_t { kReads, kWrites };

// The seam through which a test, or a tool, decides who runs. A scheduler runs a few threads one at
// a time, and is asked at each lock and each step. There is one for each thread of the operating
// system, so that several can work side by side; where there is none, a lock is a lock, and a step
// costs one load and one branch that is always taken the same way.
//
// While one is current, the locks of mutex.h are its own affair: the real ones are not touched.
// An object is named by its address; it keeps it while the scheduler's threads run.
class Scheduler {
 public:
  virtual ~Scheduler();

  // Comes back when the calling thread has the lock. A lock that is wanted exclusively lets in no
  // further sharers (writers preferred). `name` is the lock's, for reports.
  virtual void Acquire(const void* lock, LockMode mode, absl::string_view name) = 0;
  virtual void Release(const void* lock, LockMode mode) = 0;

  // Lets `lock`, held exclusively, go until `condition` is notified, and has it again on return.
  // Never returns without a notification.
  virtual void Wait(const void* condition, const void* lock) = 0;
  virtual void NotifyOne(const void* condition) = 0;  // who has waited longest
  virtual void NotifyAll(const void* condition) = 0;

  // A step that touches bytes `where` of `object` is next.
  virtual void Pass(Step step, const void* object, const ByteRange& where, Effect effect) = 0;

  // The one of the calling thread of the operating system, or null.
  static Scheduler* Current() { return current_; }

  // Makes a scheduler the current one for a scope.
  class Enrolment {
   public:
    explicit Enrolment(Scheduler* scheduler) : before_(current_) { current_ = scheduler; }
    ~Enrolment() { current_ = before_; }
    Enrolment(const Enrolment&) = delete;
    Enrolment& operator=(const Enrolment&) = delete;

   private:
    Scheduler* const before_;
  };

 private:
  static inline constinit thread_local Scheduler* current_ = nullptr;
};

// Offers the current scheduler, if there is one, to let other threads go first: the calling thread
// is about to touch `where` of `object`.
inline void SchedulePoint(Step step, const void* object, const ByteRange& where, Effect effect) {
  if (Scheduler* scheduler = Scheduler::Current(); scheduler != nullptr) [[unlikely]] {
    scheduler->Pass(step, object, where, effect);
  }
}

}  // namespace iomap
