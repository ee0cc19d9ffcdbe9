#include "tools/schedule/exploration.h"

#include <array>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/mutex.h"
#include "iomap/scheduler.h"
#include "iomap/thread_index.h"
#include "tests/support/environment.h"
#include "tests/support/status_matchers.h"

namespace iomap::schedule {
namespace {

using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;
using ::testing::HasSubstr;
using Method = ExplorationOptions::Method;

// A scenario made of functions that share one state.
template <typename State>
class Shared : public Scenario {
 public:
  using Body = std::function<void(State&, Scenario&)>;
  Shared(std::vector<Body> threads, Body finish)
      : bodies_(std::move(threads)), finish_(std::move(finish)) {}

  std::vector<std::function<void()>> Threads() override {
    std::vector<std::function<void()>> threads;
    for (const Body& body : bodies_) {
      threads.push_back([this, &body] { body(state_, *this); });
    }
    return threads;
  }
  void Finish() override {
    if (finish_) {
      finish_(state_, *this);
    }
  }

 private:
  const std::vector<Body> bodies_;
  const Body finish_;
  State state_;
};

template <typename State>
MakeScenario Make(std::vector<typename Shared<State>::Body> threads,
                  typename Shared<State>::Body finish = nullptr) {
  return [threads, finish] { return std::make_unique<Shared<State>>(threads, finish); };
}

ExplorationResult Every(const MakeScenario& make) {
  return Explore(make, {.method = Method::kEvery, .stop_at_failure = false});
}
ExplorationResult Reduced(const MakeScenario& make) {
  return Explore(make, {.method = Method::kReduced, .stop_at_failure = false});
}

struct Cells {
  std::array<int, 4> values = {};
  void Touch(size_t cell, Effect effect) {
    SchedulePoint(effect == Effect::kReads ? Step::kLoad : Step::kStore, &values[cell], {0, 4},
                  effect);
  }
};

TEST(Exploration, RunsEveryInterleavingOfIndependentStepsOnceWhenReduced) {
  const auto thread = [](size_t cell) {
    return [cell](Cells& cells, Scenario&) {
      for (int i = 0; i < 3; ++i) {
        cells.Touch(cell, Effect::kWrites);
      }
    };
  };
  const MakeScenario make = Make<Cells>({thread(0), thread(1)});
  // Four steps each, the start included: 8 over 4.
  const ExplorationResult every = Every(make);
  EXPECT_TRUE(every.complete);
  EXPECT_EQ(every.runs, 70);
  const ExplorationResult reduced = Reduced(make);
  EXPECT_TRUE(reduced.complete);
  EXPECT_EQ(reduced.runs, 1);
}

TEST(Exploration, EstimatesFromRandomRunsHowManyInterleavingsThereAre) {
  const auto thread = [](size_t cell, int steps) {
    return [cell, steps](Cells& cells, Scenario&) {
      for (int i = 0; i < steps; ++i) {
        cells.Touch(cell, Effect::kWrites);
      }
    };
  };
  const MakeScenario make = Make<Cells>({thread(0, 2), thread(1, 3), thread(0, 1)});
  const ExplorationResult every = Every(make);
  EXPECT_EQ(every.runs, 1260);  // 3, 4 and 2 steps: 9! / (3! 4! 2!)
  EXPECT_EQ(every.estimate, 0);
  const ExplorationResult random = Explore(make, {.method = Method::kRandom, .most_runs = 20'000});
  EXPECT_NEAR(random.estimate, 1260, 1260 * 0.03);
}

TEST(Exploration, FindsALostUpdate) {
  const auto add = [](Cells& cells, Scenario&) {
    cells.Touch(0, Effect::kReads);
    const int value = cells.values[0];
    cells.Touch(0, Effect::kWrites);
    cells.values[0] = value + 1;
  };
  const MakeScenario make = Make<Cells>({add, add}, [](Cells& cells, Scenario& scenario) {
    if (cells.values[0] != 2) {
      scenario.Fail(absl::StrCat("lost: ", cells.values[0]));
    }
  });
  const ExplorationResult reduced = Reduced(make);
  EXPECT_TRUE(reduced.complete);
  EXPECT_GT(reduced.failed_runs, 0);
  EXPECT_LT(reduced.runs, Every(make).runs);
  EXPECT_EQ(reduced.first_failure, "lost: 1");
  const auto replayed = Replay(make, reduced.first_schedule);
  ASSERT_THAT(replayed, IsOk());
  EXPECT_EQ(*replayed, "lost: 1");
  EXPECT_EQ(*Replay(make, "a3b3"), "");
  EXPECT_THAT(Replay(make, "a9"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Replay(make, "a3z"), StatusIs(absl::StatusCode::kInvalidArgument));
}

struct TwoLocks {
  Mutex first{LockRank::kGroup};
  Mutex second{LockRank::kGroup};
};

TEST(Exploration, ReportsADeadlockAsItsCycle) {
  const MakeScenario make = Make<TwoLocks>({[](TwoLocks& locks, Scenario&) {
                                              const MutexLock outer(locks.first);
                                              const MutexLock inner(locks.second);
                                            },
                                            [](TwoLocks& locks, Scenario&) {
                                              const MutexLock outer(locks.second);
                                              const MutexLock inner(locks.first);
                                            }});
  const ExplorationResult reduced = Reduced(make);
  EXPECT_TRUE(reduced.complete);
  EXPECT_THAT(reduced.first_failure,
              HasSubstr("deadlock: a waits for the group lock, which b has exclusively; b waits "
                        "for the group lock, which a has exclusively"));
  EXPECT_THAT(*Replay(make, reduced.first_schedule), HasSubstr("deadlock"));
}

struct OneSharedLock {
  SharedMutex lock{LockRank::kInvalidate};
};

TEST(Exploration, FindsAReaderThatSharesAgainBehindAWriter) {
  const MakeScenario make = Make<OneSharedLock>(
      {[](OneSharedLock& state, Scenario&) {
         const ReaderLock outer(state.lock);
         const ReaderLock inner(state.lock);
       },
       [](OneSharedLock& state, Scenario&) { const WriterLock lock(state.lock); }});
  const ExplorationResult reduced = Reduced(make);
  EXPECT_TRUE(reduced.complete);
  EXPECT_THAT(reduced.first_failure,
              HasSubstr("a waits to share the invalidate lock, which a shares and b has queued"));
}

struct Turnstile {
  Mutex mutex{LockRank::kLeaf};
  CondVar opened;
  bool open = false;
};

TEST(Exploration, FindsAWakeUpThatGoesToOneOfTwo) {
  const auto wait = [](Turnstile& state, Scenario&) {
    const MutexLock lock(state.mutex);
    while (!state.open) {
      state.opened.Wait(state.mutex);
    }
  };
  const auto open = [](bool all) {
    return [all](Turnstile& state, Scenario&) {
      const MutexLock lock(state.mutex);
      state.open = true;
      if (all) {
        state.opened.NotifyAll();
      } else {
        state.opened.NotifyOne();
      }
    };
  };
  EXPECT_THAT(Reduced(Make<Turnstile>({wait, wait, open(false)})).first_failure,
              HasSubstr("waits to be notified"));
  const ExplorationResult all = Reduced(Make<Turnstile>({wait, wait, open(true)}));
  EXPECT_TRUE(all.complete);
  EXPECT_EQ(all.failed_runs, 0) << all.first_failure;
}

TEST(Exploration, CallsARunThatDoesNotEndEndless) {
  const MakeScenario make = Make<Cells>({[](Cells& cells, Scenario&) {
    while (true) {
      cells.Touch(0, Effect::kReads);
    }
  }});
  const ExplorationResult result = Explore(make, {.most_steps = 100});
  EXPECT_THAT(result.first_failure, HasSubstr("no end after 100 steps"));
}

TEST(Exploration, DrawsTheSameRunsForTheSameSeed) {
  const auto note = [](Cells& cells, Scenario& scenario) {
    for (int i = 0; i < 4; ++i) {
      cells.Touch(0, Effect::kWrites);
      cells.values[0] = cells.values[0] * 3 + static_cast<int>(ThreadIndex());
    }
    if (cells.values[0] % 7 == 3) {
      scenario.Fail(absl::StrCat("value ", cells.values[0]));
    }
  };
  const MakeScenario make = Make<Cells>({note, note, note});
  const ExplorationOptions options{
      .method = Method::kRandom, .most_runs = 200, .seed = 7, .stop_at_failure = false};
  const ExplorationResult one = Explore(make, options);
  const ExplorationResult other = Explore(make, options);
  EXPECT_EQ(one.failed_runs, other.failed_runs);
  EXPECT_EQ(one.first_schedule, other.first_schedule);
  EXPECT_GT(one.failed_runs, 0);
}

// Small random programs of locks and of accesses to cells: what the reduced exploration sees is
// what the whole one sees.
struct Program {
  struct Operation {
    enum class Kind { kAdd, kRead, kLocked, kShared, kNested } kind;
    size_t cell;
  };
  std::vector<std::vector<Operation>> threads;
};

struct ProgramState {
  std::array<int, 2> cells = {1, 1};
  std::array<int, 3> seen = {};
  Mutex mutex{LockRank::kMap};
  Mutex other{LockRank::kMap};
  SharedMutex shared{LockRank::kInvalidate};
};

Program DrawProgram(uint64_t seed) {
  std::mt19937_64 random(seed);
  Program program;
  program.threads.resize(2 + random() % 2);
  for (auto& thread : program.threads) {
    thread.resize(program.threads.size() == 3 ? 1 : 1 + random() % 2);
    for (Program::Operation& operation : thread) {
      operation = {static_cast<Program::Operation::Kind>(random() % 5), random() % 2};
    }
  }
  return program;
}

void Touch(ProgramState& state, size_t cell, Effect effect) {
  SchedulePoint(Step::kStore, &state.cells[cell], {0, 4}, effect);
}

void Execute(ProgramState& state, size_t thread, const Program::Operation& operation) {
  using Kind = Program::Operation::Kind;
  const auto change = [&] {
    Touch(state, operation.cell, Effect::kWrites);
    state.cells[operation.cell] = state.cells[operation.cell] * 2 + static_cast<int>(thread);
  };
  const auto read = [&] {
    Touch(state, operation.cell, Effect::kReads);
    state.seen[thread] = state.seen[thread] * 10 + state.cells[operation.cell];
  };
  switch (operation.kind) {
    case Kind::kAdd:
      return change();
    case Kind::kRead:
      return read();
    case Kind::kLocked: {
      const WriterLock lock(state.shared);
      return change();
    }
    case Kind::kShared: {
      const ReaderLock lock(state.shared);
      return read();
    }
    case Kind::kNested: {
      const MutexLock outer(operation.cell == 0 ? state.mutex : state.other);
      change();
      const MutexLock inner(operation.cell == 0 ? state.other : state.mutex);
      return read();
    }
  }
}

std::set<std::string> Outcomes(const Program& program, Method method, uint64_t& runs) {
  auto outcomes = std::make_shared<std::set<std::string>>();
  std::vector<Shared<ProgramState>::Body> threads;
  for (size_t i = 0; i < program.threads.size(); ++i) {
    threads.push_back([&program, i](ProgramState& state, Scenario&) {
      for (const Program::Operation& operation : program.threads[i]) {
        Execute(state, i, operation);
      }
    });
  }
  const auto finish = [outcomes](ProgramState& state, Scenario&) {
    outcomes->insert(absl::StrCat(state.cells[0], " ", state.cells[1], " ", state.seen[0], " ",
                                  state.seen[1], " ", state.seen[2]));
  };
  const ExplorationResult result =
      Explore(Make<ProgramState>(threads, finish), {.method = method, .stop_at_failure = false});
  EXPECT_TRUE(result.complete);
  if (result.failed_runs > 0) {
    outcomes->insert("deadlock");
  }
  runs = result.runs;
  return *outcomes;
}

// IOMAP_PROGRAMS=N: more than the suite has time for.
TEST(Exploration, ReducedSeesEveryOutcomeOfRandomPrograms) {
  const uint64_t programs = tests::NumberFromEnvironment("IOMAP_PROGRAMS", 300);
  uint64_t all_runs = 0;
  uint64_t all_reduced_runs = 0;
  size_t deadlocks = 0;
  for (uint64_t seed = 1; seed <= programs; ++seed) {
    const Program program = DrawProgram(seed);
    uint64_t runs = 0;
    uint64_t reduced_runs = 0;
    const std::set<std::string> every = Outcomes(program, Method::kEvery, runs);
    EXPECT_EQ(Outcomes(program, Method::kReduced, reduced_runs), every) << "seed " << seed;
    EXPECT_LE(reduced_runs, runs) << "seed " << seed;
    all_runs += runs;
    all_reduced_runs += reduced_runs;
    deadlocks += every.count("deadlock");
  }
  EXPECT_LT(all_reduced_runs * 4, all_runs);
  EXPECT_GT(deadlocks, 0);
  RecordProperty("runs", static_cast<int>(all_runs));
  RecordProperty("reduced_runs", static_cast<int>(all_reduced_runs));
}

}  // namespace
}  // namespace iomap::schedule
