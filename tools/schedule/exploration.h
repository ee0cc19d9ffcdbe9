#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iomap::schedule {

// One run's world: made anew for each interleaving, so that all begin alike.
class Scenario {
 public:
  virtual ~Scenario();

  // The threads, which all end in every interleaving that is as it should be.
  virtual std::vector<std::function<void()>> Threads() = 0;

  // After they have ended: looks at what came of it. Not scheduled.
  virtual void Finish() {}

  // What went wrong, from a thread or from Finish; the first is kept.
  void Fail(absl::string_view what) {
    if (failure_.empty()) {
      failure_ = std::string(what);
    }
  }
  const std::string& failure() const { return failure_; }

 private:
  std::string failure_;
};

using MakeScenario = std::function<std::unique_ptr<Scenario>()>;

struct ExplorationOptions {
  enum class Method : uint8_t {
    kEvery,    // every interleaving, depth first
    kReduced,  // one at least of each class of those that differ only in the order of independent
               // steps: dynamic partial-order reduction with sleep sets. Compared with kEvery on
               // random programs, not proved: where certainty counts, use that
    kRandom,   // each time any thread that can run
  };

  Method method = Method::kReduced;
  uint64_t most_runs = 1'000'000;
  uint64_t seed = 1;           // kRandom
  size_t most_steps = 10'000;  // of one run, before it counts as endless
  bool stop_at_failure = true;
};

struct ExplorationResult {
  uint64_t runs = 0;
  uint64_t redundant_runs = 0;  // of these, kReduced: recognised as one of a class seen before
  uint64_t failed_runs = 0;
  uint64_t longest_run = 0;  // steps
  double estimate = 0;       // kRandom: how many interleavings there are in all, without bias
  bool complete = false;     // nothing is left to be tried
  std::string first_failure = {};
  std::string first_schedule = {};  // of that failure: give it to Replay
};

// Runs interleavings of the threads of a scenario. Deterministic: the same scenario and options
// give the same result. Deadlocks, and runs without end, are failures.
//
// Sources: C. Flanagan, P. Godefroid, "Dynamic partial-order reduction for model checking
// software", POPL 2005; P. Godefroid, "Partial-order methods for the verification of concurrent
// systems", 1996 (sleep sets); D. Knuth, "Estimating the efficiency of backtrack programs", 1975.
ExplorationResult Explore(const MakeScenario& make, const ExplorationOptions& options);

// Runs one interleaving again. A schedule is its threads, in the order of their steps: "a5b3a" is
// five steps of the first thread, three of the second, one of the first. What is left when it ends
// runs in the order of the threads. InvalidArgument when it is not one, or does not fit. The value
// is the failure, empty when there was none.
absl::StatusOr<std::string> Replay(const MakeScenario& make, absl::string_view schedule,
                                   size_t most_steps = 10'000);

}  // namespace iomap::schedule
