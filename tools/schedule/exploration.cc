#include "tools/schedule/exploration.h"

#include <algorithm>
#include <bit>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/check.h"
#include "tools/schedule/deterministic_scheduler.h"
#include "tools/schedule/trace.h"

namespace iomap::schedule {
namespace {

using Threads = uint32_t;  // a set of threads, one bit each
static_assert(DeterministicScheduler::kMostThreads <= 32);

Threads SetOf(size_t thread) { return Threads{1} << thread; }

// A place in the tree of interleavings: what may be done, and what has been.
struct Place {
  std::vector<ThreadView> views = {};
  Threads enabled = 0;
  Threads backtrack = 0;  // to be tried here
  Threads done = 0;       // tried here, or being tried
  Threads sleep = 0;      // would only repeat, in another order, what was tried before
  size_t chosen = 0;
};

// Keeps a scenario whose threads stand where they are, with its locks: it is not to be touched any
// more.
void Abandon(std::unique_ptr<Scenario> scenario) {
  static auto* const abandoned = new std::vector<std::unique_ptr<Scenario>>();
  abandoned->push_back(std::move(scenario));
}

class Explorer {
 public:
  Explorer(const MakeScenario& make, const ExplorationOptions& options)
      : make_(make), options_(options), random_(options.seed) {}

  ExplorationResult Run() {
    while (result_.runs < options_.most_runs) {
      RunOnce();
      // The product of the numbers of choices along a random run is, on average, the number of
      // runs.
      result_.estimate += (choices_ - result_.estimate) / static_cast<double>(result_.runs);
      if (result_.failed_runs > 0 && options_.stop_at_failure) {
        return result_;
      }
      if (options_.method != ExplorationOptions::Method::kRandom && !GoBack()) {
        result_.complete = true;
        return result_;
      }
    }
    return result_;
  }

 private:
  void RunOnce() {
    depth_ = 0;
    choices_ = options_.method == ExplorationOptions::Method::kRandom ? 1 : 0;
    is_redundant_ = false;
    trace_ = Trace();
    std::unique_ptr<Scenario> scenario = make_();
    scheduler_.set_on_release([this](size_t thread, const void* lock, LockMode mode) {
      trace_.Release(thread, lock, mode);
    });
    const RunEnd end = scheduler_.Run(
        scenario->Threads(), [this](const std::vector<ThreadView>& views) { return Choose(views); },
        options_.most_steps);
    ++result_.runs;
    result_.redundant_runs += is_redundant_ ? 1 : 0;
    result_.longest_run = std::max<uint64_t>(result_.longest_run, trace_.size());
    if (end.kind == RunEnd::Kind::kDone) {
      scenario->Finish();
      Note(scenario->failure());
      return;
    }
    if (end.kind == RunEnd::Kind::kDeadlock && !is_redundant_ &&
        options_.method == ExplorationOptions::Method::kReduced) {
      FindRaces(end.stuck);  // what they wait for, they might have had before
    }
    Note(scenario->failure().empty() ? end.report : scenario->failure());
    Abandon(std::move(scenario));
  }

  void Note(const std::string& failure) {
    if (failure.empty()) {
      return;
    }
    if (++result_.failed_runs == 1) {
      result_.first_failure = failure;
      result_.first_schedule = trace_.Name();
    }
  }

  size_t Choose(const std::vector<ThreadView>& views) {
    Threads enabled = 0;
    for (size_t i = 0; i < views.size(); ++i) {
      enabled |= views[i].enabled ? SetOf(i) : 0;
    }
    if (options_.method == ExplorationOptions::Method::kRandom) {
      choices_ *= std::popcount(enabled);
      return Take(views, NthOf(enabled, random_() % std::popcount(enabled)));
    }
    if (is_redundant_) {
      return Take(views, NthOf(enabled, 0));  // to its end, which nobody looks at again
    }
    if (depth_ == places_.size()) {
      Arrive(views, enabled);
    }
    if (is_redundant_) {
      return Take(views, NthOf(enabled, 0));
    }
    Place& place = places_[depth_++];
    IOMAP_CHECK(place.enabled == enabled);  // or the scenario is not the same each time
    if (options_.method == ExplorationOptions::Method::kReduced) {
      place.views = views;  // objects lie elsewhere than in the run before
      FindRaces(views);
    }
    return Take(views, place.chosen);
  }

  // Makes a new place, below the last one.
  void Arrive(const std::vector<ThreadView>& views, Threads enabled) {
    Place place{.views = views, .enabled = enabled};
    const bool reduced = options_.method == ExplorationOptions::Method::kReduced;
    if (reduced && !places_.empty()) {
      place.sleep = SleepBelow(places_.back());
    }
    const Threads possible = enabled & ~place.sleep;
    if (possible == 0) {
      FindRaces(views);
      is_redundant_ = true;
      return;
    }
    // The thread that ran goes on where it can: fewer switches make a failure easier to read.
    const size_t last = trace_.size() == 0 ? 0 : trace_.thread_of(trace_.size() - 1);
    place.chosen = (possible & SetOf(last)) != 0 ? last : NthOf(possible, 0);
    place.backtrack = reduced ? SetOf(place.chosen) : enabled;
    place.done = SetOf(place.chosen);
    places_.push_back(std::move(place));
  }

  // Who sleeps behind the choice of `place`: whoever slept, or was tried there before, unless the
  // chosen step makes a difference to what it does.
  static Threads SleepBelow(const Place& place) {
    Threads sleep = 0;
    const Threads candidates = (place.sleep | place.done) & ~SetOf(place.chosen);
    const Action& chosen = place.views[place.chosen].next;
    for (size_t i = 0; i < place.views.size(); ++i) {
      if ((candidates & SetOf(i)) != 0 && !place.views[i].next.DependsOn(chosen)) {
        sleep |= SetOf(i);
      }
    }
    return sleep;
  }

  // For what each thread would do next: the last step of another one that it might have come
  // before. There, it is to be tried first.
  void FindRaces(const std::vector<ThreadView>& views) {
    for (size_t thread = 0; thread < views.size(); ++thread) {
      if (views[thread].ended || views[thread].waits) {
        continue;
      }
      for (size_t step = trace_.size(); step-- > 0;) {
        if (trace_.thread_of(step) != thread && !trace_.IsBefore(step, thread) &&
            trace_.action_of(step).DependsOn(views[thread].next)) {
          TryAt(step, thread);
          break;
        }
      }
    }
  }

  void TryAt(size_t step, size_t thread) {
    Place& place = places_[step];
    Threads initial = SetOf(thread) & place.enabled;
    for (size_t later = step + 1; initial == 0 && later < trace_.size(); ++later) {
      if (trace_.IsBefore(later, thread)) {
        initial |= SetOf(trace_.thread_of(later)) & place.enabled;
      }
    }
    if (initial == 0) {
      place.backtrack |= place.enabled;
    } else if ((initial & place.backtrack) == 0) {
      place.backtrack |= SetOf(NthOf(initial, 0));
    }
  }

  size_t Take(const std::vector<ThreadView>& views, size_t thread) {
    trace_.Append(thread, views[thread].next);
    return thread;
  }

  // To the deepest place where something is left to be tried.
  bool GoBack() {
    while (!places_.empty()) {
      Place& place = places_.back();
      const Threads left = place.backtrack & place.enabled & ~place.done & ~place.sleep;
      if (left != 0) {
        place.chosen = NthOf(left, 0);
        place.done |= SetOf(place.chosen);
        return true;
      }
      places_.pop_back();
    }
    return false;
  }

  static size_t NthOf(Threads threads, size_t n) {
    for (; n > 0; --n) {
      threads &= threads - 1;
    }
    return static_cast<size_t>(std::countr_zero(threads));
  }

  const MakeScenario& make_;
  const ExplorationOptions options_;
  std::mt19937_64 random_;
  DeterministicScheduler scheduler_;
  std::vector<Place> places_;
  size_t depth_ = 0;
  double choices_ = 0;  // kRandom: the product of their numbers in this run
  bool is_redundant_ = false;
  Trace trace_;
  ExplorationResult result_;
};

}  // namespace

Scenario::~Scenario() = default;

ExplorationResult Explore(const MakeScenario& make, const ExplorationOptions& options) {
  return Explorer(make, options).Run();
}

absl::StatusOr<std::string> Replay(const MakeScenario& make, absl::string_view schedule,
                                   size_t most_steps) {
  absl::StatusOr<std::vector<size_t>> threads = ParseSchedule(schedule);
  if (!threads.ok()) {
    return threads.status();
  }
  std::unique_ptr<Scenario> scenario = make();
  DeterministicScheduler scheduler;
  size_t next = 0;
  const RunEnd end = scheduler.Run(
      scenario->Threads(),
      [&](const std::vector<ThreadView>& views) -> size_t {
        if (next < threads->size()) {
          return (*threads)[next++];
        }
        const auto enabled = std::find_if(views.begin(), views.end(),
                                          [](const ThreadView& view) { return view.enabled; });
        return static_cast<size_t>(enabled - views.begin());
      },
      most_steps);
  if (end.kind == RunEnd::Kind::kBadChoice) {
    Abandon(std::move(scenario));
    return absl::InvalidArgumentError(
        absl::StrCat("schedule \"", schedule, "\" does not fit, ", end.report));
  }
  if (end.kind != RunEnd::Kind::kDone) {
    const std::string failure = scenario->failure().empty() ? end.report : scenario->failure();
    Abandon(std::move(scenario));
    return failure;
  }
  scenario->Finish();
  return scenario->failure();
}

}  // namespace iomap::schedule
