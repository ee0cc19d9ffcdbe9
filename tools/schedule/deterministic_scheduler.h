#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "iomap/scheduler.h"
#include "tools/schedule/fiber.h"

namespace iomap::schedule {

// What a thread does next: the access that its next transition begins with.
struct Action {
  enum class Kind : uint8_t {
    kStart,    // of the thread
    kAcquire,  // of a lock
    kQueue,    // an exclusive request for a lock that others share: from here on it keeps out more
    kObtain,   // the lock, for who has queued
    kStep,
  };

  Kind kind = Kind::kStart;
  Step step = Step::kBegin;        // kStep
  const void* object = nullptr;    // the lock, or what the step touches; null touches nothing
  ByteRange where = {0, 1};        // bytes of the object
  Effect effect = Effect::kReads;  // a lock that is shared is read
  absl::string_view lock_name = {};

  // True when the two, of different threads, may not be swapped without a difference.
  bool DependsOn(const Action& other) const {
    return object != nullptr && object == other.object &&
           (effect == Effect::kWrites || other.effect == Effect::kWrites) &&
           where.Overlaps(other.where);
  }
};

// A thread where it stands still.
struct ThreadView {
  Action next;
  bool enabled = false;  // its next action can be done now
  bool ended = false;
  bool waits = false;  // for a condition: it has no next action
};

// How a run ended.
struct RunEnd {
  enum class Kind : uint8_t { kDone, kDeadlock, kTooManySteps, kBadChoice };

  Kind kind = Kind::kDone;
  std::string report = {};             // of a deadlock: who waits for what, and who has it
  std::vector<ThreadView> stuck = {};  // of a deadlock: where the threads stand
};

// Runs a few functions as threads, one at a time, each until the next point where it takes a lock
// or passes a step; who goes on then is somebody else's choice. The threads are fibers of the
// calling thread of the operating system. ThreadIndex() inside is the number of the function.
class DeterministicScheduler final : public iomap::Scheduler {
 public:
  // The most threads of a run.
  static constexpr size_t kMostThreads = 16;

  // Which of the threads goes on: the number of one that is enabled.
  using Choose = absl::FunctionRef<size_t(const std::vector<ThreadView>&)>;

  // Threads that are left over, by a deadlock or too many steps, never go on; what lives on their
  // stacks is not destroyed, and objects that they have locked must not be used again.
  RunEnd Run(const std::vector<std::function<void()>>& threads, Choose choose, size_t most_steps);

  // The locks that threads hold, as clocks need them: called by a run's observer.
  void set_on_release(
      std::function<void(size_t thread, const void* lock, LockMode mode)> observer) {
    on_release_ = std::move(observer);
  }

  void Acquire(const void* lock, LockMode mode, absl::string_view name) override;
  void Release(const void* lock, LockMode mode) override;
  void Wait(const void* condition, const void* lock) override;
  void NotifyOne(const void* condition) override;
  void NotifyAll(const void* condition) override;
  void Pass(Step step, const void* object, const ByteRange& where, Effect effect) override;

 private:
  struct Thread {
    std::unique_ptr<Fiber> fiber;
    Action next;
    const void* waits_for = nullptr;  // a condition
    const void* lock_of_wait = nullptr;
    absl::string_view name_of_wait = {};
  };
  struct Lock {
    static constexpr size_t kNobody = ~size_t{0};
    size_t holder = kNobody;
    std::vector<size_t> sharers;
    std::vector<size_t> queue;  // exclusive requests, first come first
    absl::string_view name;
  };

  RunEnd RunThreads(const std::vector<std::function<void()>>& threads, Choose choose,
                    size_t most_steps);
  Thread& current() { return threads_[current_]; }
  void Suspend(const Action& next);
  bool IsEnabled(size_t thread);
  // What happens to locks when a thread is chosen. False when the thread does not go on yet.
  bool BeginAction(size_t thread);
  std::vector<ThreadView> Views();
  void Wake(const void* condition, size_t most);
  std::string DescribeDeadlock();

  std::vector<Thread> threads_;
  size_t current_ = 0;
  absl::flat_hash_map<const void*, Lock> locks_;
  std::vector<size_t> waiters_;  // threads that wait for a condition, who has waited longest first
  std::vector<std::unique_ptr<FiberStack>> stacks_;
  std::function<void(size_t, const void*, LockMode)> on_release_;
};

}  // namespace iomap::schedule
