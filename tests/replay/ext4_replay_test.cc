#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay/ext4_dirty_image.h"
#include "tests/replay/ext4_dirty_recipes.h"
#include "tests/replay/ext4_journal_facts.h"
#include "tests/replay/seed_count.h"
#include "tests/support/command.h"
#include "tests/support/expectations.h"
#include "tests/support/loop_mount.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tree_comparison.h"

namespace iomap::tests {
namespace {

void ExpectLinuxReadsTheSame(const Ext4DirtyRecipe& recipe, uint64_t seed) {
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeDirtyImage(recipe, seed, *workshop), IsOk());
  const auto digest_before = OutputOf({"sha256sum", workshop->image_path()});
  ASSERT_THAT(digest_before, IsOk());

  const absl::StatusOr<std::set<std::string>> facts = JournalFactsOf(workshop->image_path());
  ASSERT_THAT(facts, IsOk());
  std::cout << recipe.name << ", seed " << seed << ": " << absl::StrJoin(*facts, ", ") << "\n";
  EXPECT_THAT(*facts, testing::IsSupersetOf(recipe.facts));

  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
      OpenImage(workshop->image_path());
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info().value().journal, JournalState::kReplayed);

  const std::string replayed = workshop->folder / "replayed";
  ASSERT_THAT(CopyImage(workshop->image_path(), replayed), IsOk());
  ASSERT_THAT(ReplayByKernel("ext4", replayed, workshop->mount_path()), IsOk());
  if (!(*facts).contains("orphan") && !(*facts).contains("fast commit")) {
    const auto by_kernel = OpenImage(replayed);
    ASSERT_THAT(by_kernel, IsOk());
    EXPECT_EQ((*filesystem)->info()->free_bytes, (*by_kernel)->info()->free_bytes);
    EXPECT_EQ((*filesystem)->info()->free_inode_count, (*by_kernel)->info()->free_inode_count);
  }
  const absl::StatusOr<std::unique_ptr<LoopMount>> mount = LoopMount::Make(
      replayed, workshop->mount_path(), "ext4", MountMode::kReadOnly, /*options=*/"");
  ASSERT_THAT(mount, IsOk());
  TreeComparison comparison(**filesystem, workshop->mount_path(), recipe.truth, seed);
  EXPECT_THAT(comparison.Run(), IsOk());
  ExpectNone(comparison.differences());
  EXPECT_GT(comparison.inodes().size(), 30u);

  EXPECT_EQ(OutputOf({"sha256sum", workshop->image_path()}).value(), *digest_before)
      << "the image was touched";
}

using Ext4Replay = testing::TestWithParam<size_t>;

TEST_P(Ext4Replay, ServesWhatTheKernelServesAfterItsReplay) {
  IOMAP_SKIP_IF(WhyNoMount());
  const std::vector<Ext4DirtyRecipe> recipes = Ext4DirtyRecipes();
  const Ext4DirtyRecipe& recipe = recipes[GetParam()];
  for (uint64_t seed = Seed(); seed < Seed() + SeedCount() && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat(RerunLine(), ", at seed ", seed));
    ExpectLinuxReadsTheSame(recipe, seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Images, Ext4Replay, testing::Range<size_t>(0, Ext4DirtyRecipes().size()),
                         [](const auto& info) { return Ext4DirtyRecipes()[info.param].name; });

}  // namespace
}  // namespace iomap::tests
