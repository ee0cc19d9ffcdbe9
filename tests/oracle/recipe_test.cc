#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/oracle/recipes.h"
#include "tests/support/expectations.h"
#include "tests/support/loop_mount.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tree_comparison.h"

namespace iomap::tests {
namespace {

void ExpectAllAgree(const Recipe& recipe, const Workshop& workshop, LoopMount* mount) {
  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
      OpenImage(workshop.image_path());
  ASSERT_THAT(filesystem, IsOk());
  const bool mounted = mount != nullptr;
  const std::map<InodeNumber, std::string> inodes =
      ExpectSameTree(**filesystem, mounted ? workshop.mount_path() : workshop.source_path(),
                     mounted ? Truth::kMountedImage : Truth::kSourceTree);
  std::vector<std::string> facts = recipe.proof;
  if (mounted) {
    ASSERT_THAT(mount->Unmount(), IsOk());
    facts.insert(facts.end(), recipe.mounted_proof.begin(), recipe.mounted_proof.end());
  }
  ExpectRefereeAgrees(recipe, workshop, **filesystem, inodes, facts);
}

// Images that were filled through a mount, against the kernel and then against debugfs or xfs_db.
using MountedOracle = testing::TestWithParam<Recipe>;

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
  ExpectAllAgree(recipe, *workshop, mount->get());
}

// Images that mkfs made from a tree, without root, against that tree and debugfs or xfs_db.
using SourceOracle = testing::TestWithParam<Recipe>;

TEST_P(SourceOracle, ServesWhatMkfsWasGiven) {
  const Recipe& recipe = GetParam();
  IOMAP_SKIP_IF(WhyNoProgram(recipe.type == "xfs" ? "xfs_db" : "debugfs"));
  SCOPED_TRACE(RerunLine());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeImageFromSource(recipe, Seed(), *workshop), IsOk());
  ExpectAllAgree(recipe, *workshop, /*mount=*/nullptr);
}

std::vector<Recipe> AllRecipes() {
  std::vector<Recipe> recipes = Ext4Recipes();
  for (Recipe& recipe : XfsRecipes()) {
    recipes.push_back(std::move(recipe));
  }
  return recipes;
}

std::vector<Recipe> RecipesWith(bool Recipe::*property) {
  std::vector<Recipe> recipes;
  for (Recipe& recipe : AllRecipes()) {
    if (recipe.*property) {
      recipes.push_back(std::move(recipe));
    }
  }
  return recipes;
}

std::string NameOf(const testing::TestParamInfo<Recipe>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Images, MountedOracle,
                         testing::ValuesIn(RecipesWith(&Recipe::kernel_mounts)), NameOf);
INSTANTIATE_TEST_SUITE_P(Images, SourceOracle, testing::ValuesIn(RecipesWith(&Recipe::mkfs_fills)),
                         NameOf);

}  // namespace
}  // namespace iomap::tests
