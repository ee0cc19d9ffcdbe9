#include "tests/replay/ext4_journal_damage.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/ext4/filesystem.h"
#include "dax/file_device.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/replay/ext4_dirty_image.h"
#include "tests/replay/ext4_dirty_recipes.h"
#include "tests/support/answers.h"
#include "tests/support/crash_note.h"
#include "tests/support/environment.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

using std::chrono::steady_clock;

constexpr auto kLongestCase = std::chrono::seconds(2);
constexpr uint64_t kMostWork = 50'000;  // mappings or entries

std::chrono::milliseconds TimeForEachImage() {
  return std::chrono::seconds(NumberFromEnvironment("IOMAP_DAMAGE_SECONDS", 2));
}

struct Tally {
  int cases = 0;
  int refused = 0;
  int replayed = 0;
  steady_clock::duration slowest = {};
};

// Damages the journal of the image in one way, in memory, and opens and reads everything.
absl::Status RunCase(const std::string& image_path, uint64_t seed, Tally& tally) {
  dax::DeviceSet original;
  IOMAP_ASSIGN_OR_RETURN(original.emplace_back(), dax::FileDevice::OpenReadOnly(image_path, 0));
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<ext4::Volume> volume,
                         ext4::Volume::Open(std::move(original)));
  IOMAP_ASSIGN_OR_RETURN(const ext4::Journal journal, ext4::Journal::Open(*volume));
  NoteForCrash(absl::StrCat("damage seed ", seed, ": ", DamageJournal(*volume, journal, seed)));

  dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(), dax::FileDevice::OpenReadOnly(image_path, 0));
  for (uint32_t index = 0; index < journal.superblock().block_count; ++index) {
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> block, journal.Block(index));
    const uint64_t address = static_cast<uint64_t>(block.data() - volume->device().bytes().data());
    const auto before = devices.front()->bytes().subspan(address, block.size());
    if (!std::equal(block.begin(), block.end(), before.begin())) {
      IOMAP_RETURN_IF_ERROR(devices.front()->Write(address, block));
    }
  }
  const steady_clock::time_point start = steady_clock::now();
  const auto filesystem = ext4::OpenFilesystem(std::move(devices), {});
  ++tally.cases;
  if (!filesystem.ok()) {
    ++tally.refused;
    const std::string fault = FaultOf(filesystem.status());
    return fault.empty() ? absl::OkStatus() : absl::InternalError(fault);
  }
  const absl::StatusOr<FilesystemInfo> info = (*filesystem)->info();
  tally.replayed += info.ok() && info->journal == JournalState::kReplayed;
  const Answers answers = AskEverything(**filesystem, {.most = kMostWork});
  if (!answers.faults.empty()) {
    return absl::InternalError(answers.faults.front());
  }
  const steady_clock::duration spent = steady_clock::now() - start;
  tally.slowest = std::max(tally.slowest, spent);
  return spent > kLongestCase ? absl::InternalError("took too long") : absl::OkStatus();
}

using Ext4JournalDamage = testing::TestWithParam<size_t>;

TEST_P(Ext4JournalDamage, IsAnErrorOrReadOn) {
  IOMAP_SKIP_IF(WhyNoMount());
  SCOPED_TRACE(RerunLine());
  Ext4DirtyRecipe recipe = Ext4DirtyRecipes()[GetParam()];
  recipe.image_bytes = uint64_t{48} << 20;
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeDirtyImage(recipe, Seed(), *workshop), IsOk());
  Tally tally;
  const steady_clock::time_point end = steady_clock::now() + TimeForEachImage();
  for (uint64_t seed = Seed(); steady_clock::now() < end && !HasFailure(); ++seed) {
    EXPECT_THAT(RunCase(workshop->image_path(), seed, tally), IsOk()) << "damage seed " << seed;
  }
  std::cout << recipe.name << ": " << tally.cases << " damaged journals, " << tally.refused
            << " refused, " << tally.replayed << " replayed; the slowest took "
            << std::chrono::duration_cast<std::chrono::milliseconds>(tally.slowest).count()
            << " ms\n";
  EXPECT_GT(tally.cases, 0);
  EXPECT_GT(tally.replayed, 0);
}

// Recipes whose journals have everything: tags with checksums and without, revokes, fast commits,
// orphans.
std::vector<size_t> SmallRecipes() {
  const std::vector<Ext4DirtyRecipe> recipes = Ext4DirtyRecipes();
  std::vector<size_t> small;
  for (size_t i = 0; i < recipes.size(); ++i) {
    for (const char* name : {"Defaults", "NoChecksums64bit", "RevokedBlocks", "OrphanFile",
                             "FastCommits", "FastCommitsOfDirectories"}) {
      if (recipes[i].name == name) {
        small.push_back(i);
      }
    }
  }
  return small;
}

INSTANTIATE_TEST_SUITE_P(Images, Ext4JournalDamage, testing::ValuesIn(SmallRecipes()),
                         [](const auto& info) { return Ext4DirtyRecipes()[info.param].name; });

}  // namespace
}  // namespace iomap::tests
