#include "tools/schedule/deterministic_scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "iomap/check.h"
#include "iomap/thread_index.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace iomap::schedule {
namespace {

std::string Name(size_t thread) { return std::string(1, static_cast<char>('a' + thread)); }

// What a thread allocates that never goes on is not a leak.
class LeakCheckPause {
 public:
#if defined(__SANITIZE_ADDRESS__)
  LeakCheckPause() { __lsan_disable(); }
  ~LeakCheckPause() { __lsan_enable(); }
#else
  LeakCheckPause() {}
  ~LeakCheckPause() {}
#endif
  LeakCheckPause(const LeakCheckPause&) = delete;
  LeakCheckPause& operator=(const LeakCheckPause&) = delete;
};

}  // namespace

RunEnd DeterministicScheduler::Run(const std::vector<std::function<void()>>& threads, Choose choose,
                                   size_t most_steps) {
  const LeakCheckPause pause;
  RunEnd end = RunThreads(threads, choose, most_steps);
  if (end.kind != RunEnd::Kind::kDone) {
    // What their functions hold stays as it is.
    static auto* const abandoned = new std::vector<std::vector<Thread>>();
    abandoned->push_back(std::move(threads_));
  }
  threads_.clear();
  return end;
}

RunEnd DeterministicScheduler::RunThreads(const std::vector<std::function<void()>>& threads,
                                          Choose choose, size_t most_steps) {
  IOMAP_CHECK(threads.size() <= kMostThreads);
  const Enrolment enrolment(this);
  locks_.clear();
  waiters_.clear();
  threads_.clear();
  for (size_t i = 0; i < threads.size(); ++i) {
    if (stacks_.size() <= i) {
      stacks_.push_back(std::make_unique<FiberStack>());
    }
    threads_.push_back(Thread{std::make_unique<Fiber>(*stacks_[i], threads[i]), {}});
  }
  for (size_t step = 0;; ++step) {
    const std::vector<ThreadView> views = Views();
    const auto all = [&](auto predicate) {
      return std::all_of(views.begin(), views.end(), predicate);
    };
    if (all([](const ThreadView& view) { return view.ended; })) {
      return RunEnd{};
    }
    if (all([](const ThreadView& view) { return !view.enabled; })) {
      return RunEnd{RunEnd::Kind::kDeadlock, DescribeDeadlock(), views};
    }
    if (step == most_steps) {
      return RunEnd{RunEnd::Kind::kTooManySteps, absl::StrCat("no end after ", step, " steps")};
    }
    const size_t chosen = choose(views);
    if (chosen >= views.size() || !views[chosen].enabled) {
      return RunEnd{RunEnd::Kind::kBadChoice, absl::StrCat("at step ", step)};
    }
    if (BeginAction(chosen)) {
      current_ = chosen;
      SetThreadIndex(static_cast<uint32_t>(chosen));
      threads_[chosen].fiber->Resume();
    }
  }
}

std::vector<ThreadView> DeterministicScheduler::Views() {
  std::vector<ThreadView> views(threads_.size());
  for (size_t i = 0; i < threads_.size(); ++i) {
    const Thread& thread = threads_[i];
    ThreadView& view = views[i];
    view.ended = thread.fiber->has_ended();
    view.waits = thread.waits_for != nullptr;
    if (view.ended || view.waits) {
      continue;
    }
    view.next = thread.next;
    if (view.next.kind == Action::Kind::kAcquire && view.next.effect == Effect::kWrites &&
        !locks_[view.next.object].sharers.empty()) {
      view.next.kind = Action::Kind::kQueue;
    }
    view.enabled = IsEnabled(i);
  }
  return views;
}

bool DeterministicScheduler::IsEnabled(size_t number) {
  const Action& next = threads_[number].next;
  if (next.kind == Action::Kind::kStart || next.kind == Action::Kind::kStep) {
    return true;
  }
  const Lock& lock = locks_[next.object];
  if (lock.holder != Lock::kNobody) {
    return false;
  }
  if (next.kind == Action::Kind::kObtain) {
    return lock.sharers.empty() && lock.queue.front() == number;
  }
  if (next.effect == Effect::kReads) {
    return lock.queue.empty();
  }
  // A lock that others share can be queued for; one that somebody has queued for comes after that.
  return lock.sharers.empty() ? lock.queue.empty() : true;
}

bool DeterministicScheduler::BeginAction(size_t number) {
  Thread& thread = threads_[number];
  Action& next = thread.next;
  if (next.kind == Action::Kind::kStart || next.kind == Action::Kind::kStep) {
    return true;
  }
  Lock& lock = locks_[next.object];
  lock.name = next.lock_name;
  if (next.effect == Effect::kReads) {
    lock.sharers.push_back(number);
    return true;
  }
  if (next.kind == Action::Kind::kAcquire && !lock.sharers.empty()) {
    lock.queue.push_back(number);
    next.kind = Action::Kind::kObtain;
    return false;
  }
  if (next.kind == Action::Kind::kObtain) {
    lock.queue.erase(lock.queue.begin());
  }
  lock.holder = number;
  return true;
}

void DeterministicScheduler::Suspend(const Action& next) {
  Thread& thread = current();
  thread.next = next;
  thread.fiber->Suspend();
}

void DeterministicScheduler::Acquire(const void* lock, LockMode mode, absl::string_view name) {
  Suspend(Action{.kind = Action::Kind::kAcquire,
                 .object = lock,
                 .effect = mode == LockMode::kShared ? Effect::kReads : Effect::kWrites,
                 .lock_name = name});
}

void DeterministicScheduler::Release(const void* object, LockMode mode) {
  Lock& lock = locks_[object];
  if (mode == LockMode::kShared) {
    const auto sharer = std::find(lock.sharers.begin(), lock.sharers.end(), current_);
    IOMAP_CHECK(sharer != lock.sharers.end());
    lock.sharers.erase(sharer);
  } else {
    IOMAP_CHECK(lock.holder == current_);
    lock.holder = Lock::kNobody;
  }
  if (on_release_) {
    on_release_(current_, object, mode);
  }
}

void DeterministicScheduler::Wait(const void* condition, const void* lock) {
  Thread& thread = current();
  thread.waits_for = condition;
  thread.lock_of_wait = lock;
  thread.name_of_wait = locks_[lock].name;
  Release(lock, LockMode::kExclusive);
  waiters_.push_back(current_);
  Suspend(Action{.kind = Action::Kind::kAcquire,
                 .object = lock,
                 .effect = Effect::kWrites,
                 .lock_name = thread.name_of_wait});
}

void DeterministicScheduler::Wake(const void* condition, size_t most) {
  for (auto i = waiters_.begin(); i != waiters_.end() && most > 0;) {
    Thread& thread = threads_[*i];
    if (thread.waits_for == condition) {
      thread.waits_for = nullptr;
      i = waiters_.erase(i);
      --most;
    } else {
      ++i;
    }
  }
}

void DeterministicScheduler::NotifyOne(const void* condition) { Wake(condition, 1); }

void DeterministicScheduler::NotifyAll(const void* condition) { Wake(condition, kMostThreads); }

void DeterministicScheduler::Pass(Step step, const void* object, const ByteRange& where,
                                  Effect effect) {
  Suspend(Action{.kind = Action::Kind::kStep,
                 .step = step,
                 .object = object,
                 .where = where,
                 .effect = effect});
}

std::string DeterministicScheduler::DescribeDeadlock() {
  std::vector<std::string> lines;
  for (size_t i = 0; i < threads_.size(); ++i) {
    const Thread& thread = threads_[i];
    if (thread.fiber->has_ended()) {
      continue;
    }
    if (thread.waits_for != nullptr) {
      lines.push_back(absl::StrCat(Name(i), " waits to be notified, and nobody is left to do so"));
      continue;
    }
    const Lock& lock = locks_[thread.next.object];
    std::vector<std::string> holders;
    if (lock.holder != Lock::kNobody) {
      holders.push_back(absl::StrCat(Name(lock.holder), " has exclusively"));
    }
    for (const size_t sharer : lock.sharers) {
      holders.push_back(absl::StrCat(Name(sharer), " shares"));
    }
    if (!lock.queue.empty() && lock.queue.front() != i) {
      holders.push_back(absl::StrCat(Name(lock.queue.front()), " has queued for"));
    }
    lines.push_back(absl::StrCat(
        Name(i), thread.next.effect == Effect::kReads ? " waits to share the " : " waits for the ",
        thread.next.lock_name, ", which ", absl::StrJoin(holders, " and ")));
  }
  return absl::StrCat("deadlock: ", absl::StrJoin(lines, "; "));
}

}  // namespace iomap::schedule
