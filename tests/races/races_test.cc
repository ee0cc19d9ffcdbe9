// The races of DAX's history, on the reference backend: the interleavings of the common scenarios
// that the reduction leaves are as they should be, and each mistake of dax/mistakes.h is found.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "dax/mistakes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/races/mistaken_address_space.h"
#include "tests/races/scenarios.h"
#include "tests/support/environment.h"
#include "tools/schedule/exploration.h"

namespace iomap::tests {
namespace {

using schedule::ExplorationOptions;
using schedule::ExplorationResult;

constexpr uint64_t kMostRuns = 200'000;
// Without reduction, of each scenario; most have more. IOMAP_RACES_EVERY gives another number.
constexpr uint64_t kMostRunsOfEvery = 2'000;
constexpr uint64_t kRandomRuns = 200;  // IOMAP_RACES_RANDOM gives another number
constexpr uint64_t kMostRunsToAMistake = 4'000;

std::string RerunLine(const std::string& scenario, const std::string& mistake,
                      const std::string& schedule) {
  return absl::StrCat("rerun: IOMAP_RACE=", scenario, ":", mistake, ":", schedule,
                      " build/dev/tests/races/races_tests --gtest_filter=Races.Rerun");
}

class CommonRaces : public testing::TestWithParam<NamedScenario> {
 protected:
  // Explores the scenario, which is as it should be, and prints how much there was to do.
  static ExplorationResult ExploreAll(const char* how, const ExplorationOptions& options) {
    const MistakeScope none(std::nullopt);
    ExplorationResult result = Explore(GetParam().make, options);
    EXPECT_EQ(result.failed_runs, 0) << result.first_failure << "\n"
                                     << RerunLine(GetParam().name, "none", result.first_schedule);
    std::printf("%s, %s: %s%llu interleavings, %llu of them redundant, at most %llu steps\n",
                GetParam().name.c_str(), how, result.complete ? "" : "more than ",
                static_cast<unsigned long long>(result.runs),
                static_cast<unsigned long long>(result.redundant_runs),
                static_cast<unsigned long long>(result.longest_run));
    return result;
  }
};

TEST_P(CommonRaces, AreAsTheyShouldBeInEachClassOfInterleavings) {
  EXPECT_TRUE(ExploreAll("reduced", {.most_runs = kMostRuns}).complete);
}

TEST_P(CommonRaces, AreAsTheyShouldBeInRandomInterleavings) {
  const uint64_t runs = NumberFromEnvironment("IOMAP_RACES_RANDOM", kRandomRuns);
  const ExplorationResult result =
      ExploreAll("random", {.method = ExplorationOptions::Method::kRandom, .most_runs = runs});
  EXPECT_EQ(result.runs, runs);
  std::printf("%s: about %.2g interleavings in all\n", GetParam().name.c_str(), result.estimate);
}

TEST_P(CommonRaces, AreAsTheyShouldBeInTheFirstOfAllInterleavings) {
  const uint64_t most_runs = NumberFromEnvironment("IOMAP_RACES_EVERY", kMostRunsOfEvery);
  const ExplorationResult result =
      ExploreAll("every", {.method = ExplorationOptions::Method::kEvery, .most_runs = most_runs});
  EXPECT_TRUE(result.complete || result.runs == most_runs) << result.runs;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, CommonRaces, testing::ValuesIn(CommonScenarios()),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

const std::vector<std::pair<const char*, dax::Mistake>>& Mistakes() {
  using dax::Mistake;
  static const auto* const mistakes = new std::vector<std::pair<const char*, Mistake>>{
      {"FlushBeforeMkclean", Mistake::kFlushBeforeMkclean},
      {"DirtyClearedEarly", Mistake::kDirtyClearedEarly},
      {"AliasNotCleaned", Mistake::kAliasNotCleaned},
      {"HugeEntryNotCleaned", Mistake::kHugeEntryNotCleaned},
      {"EntryDroppedWhileDirty", Mistake::kEntryDroppedWhileDirty},
      {"MappingBeforeEntryLock", Mistake::kMappingBeforeEntryLock},
      {"WakeOneOnErase", Mistake::kWakeOneOnErase},
      {"EntryRemovedOnWriteBack", Mistake::kEntryRemovedOnWriteBack},
      {"FollowerSkipsDrain", Mistake::kFollowerSkipsDrain},
      {"ErrorSwallowed", Mistake::kErrorSwallowed},
      {"StaleAddress", Mistake::kStaleAddress},
      {"DirtyInsteadOfToWrite", Mistake::kDirtyInsteadOfToWrite},
  };
  return *mistakes;
}

class MistakenRaces : public testing::TestWithParam<std::pair<const char*, dax::Mistake>> {};

TEST_P(MistakenRaces, AreFound) {
  const MistakeScope mistake(GetParam().second);
  for (const NamedScenario& scenario : CommonScenarios()) {
    const ExplorationResult result = Explore(scenario.make, {.most_runs = kMostRunsToAMistake});
    if (result.failed_runs == 0) {
      continue;
    }
    std::printf("%s by %s, run %llu: %s\n  %s\n", GetParam().first, scenario.name.c_str(),
                static_cast<unsigned long long>(result.runs), result.first_failure.c_str(),
                RerunLine(scenario.name, GetParam().first, result.first_schedule).c_str());
    const auto again = schedule::Replay(scenario.make, result.first_schedule);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, result.first_failure);
    return;
  }
  ADD_FAILURE() << "no scenario has found it";
}

INSTANTIATE_TEST_SUITE_P(Mistakes, MistakenRaces, testing::ValuesIn(Mistakes()),
                         [](const auto& info) { return info.param.first; });

// IOMAP_RACE=SCENARIO:MISTAKE:SCHEDULE, as a failure prints it, runs one interleaving again.
TEST(Races, Rerun) {
  const char* const race = std::getenv("IOMAP_RACE");
  const std::vector<std::string> parts =
      absl::StrSplit(race == nullptr ? "two-fsyncs:FollowerSkipsDrain:" : race, ':');
  ASSERT_EQ(parts.size(), 3);
  std::optional<dax::Mistake> mistake;
  for (const auto& [name, value] : Mistakes()) {
    mistake = name == parts[1] ? value : mistake;
  }
  ASSERT_TRUE(mistake.has_value() || parts[1] == "none") << parts[1];
  const MistakeScope scope(mistake);
  for (const NamedScenario& scenario : CommonScenarios()) {
    if (scenario.name == parts[0]) {
      const auto failure = schedule::Replay(scenario.make, parts[2]);
      ASSERT_TRUE(failure.ok()) << failure.status();
      EXPECT_EQ(*failure, "");
      return;
    }
  }
  FAIL() << "no scenario " << parts[0];
}

}  // namespace
}  // namespace iomap::tests
