#include "tools/schedule/trace.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace iomap::schedule {
namespace {

void Join(Clock& clock, const Clock& other) {
  for (size_t i = 0; i < clock.size(); ++i) {
    clock[i] = std::max(clock[i], other[i]);
  }
}

}  // namespace

void Trace::Append(size_t thread, const Action& action) {
  Clock& clock = clocks_[thread];
  for (const Made& made : steps_) {
    if (made.thread != thread && made.action.DependsOn(action)) {
      Join(clock, made.clock);
    }
  }
  const auto& released = action.effect == Effect::kReads ? before_shared_ : before_exclusive_;
  if (const auto before = released.find(action.object); before != released.end()) {
    Join(clock, before->second);
  }
  clock[thread] = static_cast<uint32_t>(steps_.size()) + 1;
  steps_.push_back({thread, action, clock});
}

void Trace::Release(size_t thread, const void* lock, LockMode mode) {
  Join(before_exclusive_[lock], clocks_[thread]);
  if (mode == LockMode::kExclusive) {
    Join(before_shared_[lock], clocks_[thread]);
  }
}

std::string Trace::Name() const {
  std::string name;
  for (size_t i = 0; i < steps_.size();) {
    size_t end = i;
    while (end < steps_.size() && steps_[end].thread == steps_[i].thread) {
      ++end;
    }
    name.push_back(static_cast<char>('a' + steps_[i].thread));
    if (end - i > 1) {
      absl::StrAppend(&name, end - i);
    }
    i = end;
  }
  return name;
}

absl::StatusOr<std::vector<size_t>> ParseSchedule(absl::string_view name) {
  constexpr uint64_t kMostSteps = 10'000'000;
  std::vector<size_t> threads;
  for (size_t i = 0; i < name.size();) {
    const char letter = name[i++];
    const size_t digits = i;
    while (i < name.size() && absl::ascii_isdigit(static_cast<unsigned char>(name[i]))) {
      ++i;
    }
    uint64_t count = 1;
    const bool is_thread =
        letter >= 'a' && letter < 'a' + static_cast<char>(DeterministicScheduler::kMostThreads);
    const bool has_count = i == digits || absl::SimpleAtoi(name.substr(digits, i - digits), &count);
    if (!is_thread || !has_count || count > kMostSteps - threads.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("schedule \"", name, "\": character ", digits));
    }
    threads.insert(threads.end(), count, static_cast<size_t>(letter - 'a'));
  }
  return threads;
}

}  // namespace iomap::schedule
