#include "tests/oracle/recipe.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/oracle/recipe_image.h"
#include "tests/oracle/rerun.h"
#include "tests/oracle/tree_comparison.h"
#include "tests/support/loop_mount.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

constexpr size_t kMostDifferencesShown = 15;

void ExpectNone(const std::vector<std::string>& differences, const std::string& referee) {
  for (size_t i = 0; i < differences.size() && i < kMostDifferencesShown; ++i) {
    ADD_FAILURE() << referee << ": " << differences[i];
  }
  EXPECT_LE(differences.size(), kMostDifferencesShown) << "not all differences are shown";
}

void ExpectFacts(const std::vector<std::string>& wanted, const RefereeReport& report) {
  for (const std::string& fact : wanted) {
    EXPECT_EQ(report.facts.count(fact), 1u) << "the image does not have: " << fact;
  }
}

std::vector<InodeNumber> NumbersOf(const std::map<InodeNumber, std::string>& inodes) {
  std::vector<InodeNumber> numbers;
  for (const auto& [inode, path] : inodes) {
    numbers.push_back(inode);
  }
  return numbers;
}

class RecipeTest : public testing::TestWithParam<Recipe> {
 protected:
  // Compares the image with the tree at `truth_path`.
  void CompareTree(const Workshop& workshop, const std::string& truth_path, Truth truth) {
    absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(workshop.image_path());
    ASSERT_THAT(filesystem, IsOk());
    filesystem_ = *std::move(filesystem);
    TreeComparison comparison(*filesystem_, truth_path, truth, Seed());
    EXPECT_THAT(comparison.Run(), IsOk());
    ExpectNone(comparison.differences(), "kernel");
    inodes_ = comparison.inodes();
    EXPECT_GT(inodes_.size(), 100u);
  }

  // Compares each inode that CompareTree has met with what debugfs or xfs_db says.
  void CompareReferee(const Workshop& workshop, const std::vector<std::string>& more_proof) {
    const absl::StatusOr<RefereeReport> report =
        AskReferee(GetParam(), workshop, NumbersOf(inodes_));
    ASSERT_THAT(report, IsOk());
    ExpectNone(CompareWithReferee(*filesystem_, inodes_, *report, "the referee", Seed()),
               "debugfs or xfs_db");
    ExpectFacts(GetParam().proof, *report);
    ExpectFacts(more_proof, *report);
  }

 private:
  std::unique_ptr<dax::Filesystem> filesystem_;
  std::map<InodeNumber, std::string> inodes_;
};

// Images that were filled through a mount, against the kernel and then against debugfs or xfs_db.
using MountedOracle = RecipeTest;

TEST_P(MountedOracle, ServesWhatTheKernelServes) {
  const Recipe& recipe = GetParam();
  IOMAP_SKIP_IF(WhyNoMount());
  SCOPED_TRACE(RerunLine());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeImageThroughMount(recipe, Seed(), *workshop), IsOk());
  const absl::StatusOr<std::unique_ptr<LoopMount>> mount =
      LoopMount::Make(workshop->image_path(), workshop->mount_path(), recipe.type,
                      MountMode::kReadOnly, /*options=*/"");
  ASSERT_THAT(mount, IsOk());
  CompareTree(*workshop, workshop->mount_path(), Truth::kMountedImage);
  ASSERT_THAT((*mount)->Unmount(), IsOk());
  CompareReferee(*workshop, recipe.mounted_proof);
}

// Images that mkfs made from a tree, without root, against that tree and debugfs or xfs_db.
using SourceOracle = RecipeTest;

TEST_P(SourceOracle, ServesWhatMkfsWasGiven) {
  const Recipe& recipe = GetParam();
  SCOPED_TRACE(RerunLine());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeImageFromSource(recipe, Seed(), *workshop), IsOk());
  CompareTree(*workshop, workshop->source_path(), Truth::kSourceTree);
  CompareReferee(*workshop, {});
}

std::vector<Recipe> AllRecipes() {
  std::vector<Recipe> recipes = Ext4Recipes();
  for (Recipe& recipe : XfsRecipes()) {
    recipes.push_back(std::move(recipe));
  }
  return recipes;
}

std::vector<Recipe> MountableRecipes() {
  std::vector<Recipe> recipes;
  for (Recipe& recipe : AllRecipes()) {
    if (recipe.kernel_mounts) {
      recipes.push_back(std::move(recipe));
    }
  }
  return recipes;
}

std::string NameOf(const testing::TestParamInfo<Recipe>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Images, MountedOracle, testing::ValuesIn(MountableRecipes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Images, SourceOracle, testing::ValuesIn(AllRecipes()), NameOf);

}  // namespace
}  // namespace iomap::tests
