#include "tests/support/expectations.h"

#include "gtest/gtest.h"
#include "tests/support/rerun.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

constexpr size_t kMostDifferencesShown = 15;

}  // namespace

void ExpectNone(const std::vector<std::string>& differences) {
  for (size_t i = 0; i < differences.size() && i < kMostDifferencesShown; ++i) {
    ADD_FAILURE() << differences[i];
  }
  EXPECT_LE(differences.size(), kMostDifferencesShown) << "not all differences are shown";
}

void ExpectFacts(const std::vector<std::string>& facts, const RefereeReport& report) {
  for (const std::string& fact : facts) {
    EXPECT_EQ(report.facts.count(fact), 1u) << "the image does not have: " << fact;
  }
}

std::map<InodeNumber, std::string> ExpectSameTree(dax::Filesystem& filesystem,
                                                  const std::string& truth_path, Truth truth) {
  TreeComparison comparison(filesystem, truth_path, truth, Seed());
  EXPECT_THAT(comparison.Run(), IsOk());
  ExpectNone(comparison.differences());
  EXPECT_GT(comparison.inodes().size(), 100u);
  return comparison.inodes();
}

void ExpectRefereeAgrees(const Recipe& recipe, const Workshop& workshop,
                         dax::Filesystem& filesystem,
                         const std::map<InodeNumber, std::string>& inodes,
                         const std::vector<std::string>& facts) {
  const absl::StatusOr<RefereeReport> report = AskReferee(recipe, workshop, inodes);
  ASSERT_THAT(report, IsOk());
  const std::string referee = recipe.type == "xfs" ? "xfs_db" : "debugfs";
  ExpectNone(CompareWithReferee(filesystem, inodes, *report, referee, Seed()));
  ExpectFacts(facts, *report);
}

}  // namespace iomap::tests
