#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/schedule/deterministic_scheduler.h"

namespace iomap::schedule {

// For each thread, how many of the steps of a trace, counted from 1, are known to come before.
using Clock = std::array<uint32_t, DeterministicScheduler::kMostThreads>;

// The steps of one run so far, and which of them come before which others whatever the schedule:
// those of one thread, those that depend on each other in the order in which they were made, and
// the release of a lock before what takes it next.
class Trace {
 public:
  size_t size() const { return steps_.size(); }
  size_t thread_of(size_t step) const { return steps_[step].thread; }
  const Action& action_of(size_t step) const { return steps_[step].action; }

  void Append(size_t thread, const Action& action);
  void Release(size_t thread, const void* lock, LockMode mode);

  // True when step `earlier` comes before whatever `thread` does next.
  bool IsBefore(size_t earlier, size_t thread) const {
    return earlier < clocks_[thread][steps_[earlier].thread];
  }
  // True when step `earlier` comes before step `later`.
  bool IsBeforeStep(size_t earlier, size_t later) const {
    return earlier < steps_[later].clock[steps_[earlier].thread];
  }

  // "a5b3a".
  std::string Name() const;

 private:
  struct Made {
    size_t thread;
    Action action;
    Clock clock;
  };

  std::vector<Made> steps_;
  std::array<Clock, DeterministicScheduler::kMostThreads> clocks_ = {};
  // Of each lock, what comes before who shares it next, and who has it alone next. Those who share
  // it say nothing of each other.
  absl::flat_hash_map<const void*, Clock> before_shared_;
  absl::flat_hash_map<const void*, Clock> before_exclusive_;
};

// The threads that a schedule's name lists, step by step. InvalidArgument when it is none.
absl::StatusOr<std::vector<size_t>> ParseSchedule(absl::string_view name);

}  // namespace iomap::schedule
