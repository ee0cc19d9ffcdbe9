// Damaged and truncated images: each question has an error or the right answer, and no image makes
// us crash or work without end.
//
// Environment:
//   IOMAP_DAMAGE_CASES=N     cases for each image, chosen by --gtest_random_seed; 0: all there are
//   IOMAP_DAMAGE_CASE=TEXT   only this one ("flip@4096+1024#77"), as a failure's last line says
//   IOMAP_DAMAGE_IMAGES=DIR  keeps the images in DIR, and uses those that are there: the kernel
//                            does not fill an image the same way twice

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/damage/damage_case.h"
#include "tests/damage/damage_recipes.h"
#include "tests/support/answers.h"
#include "tests/support/checksum_repair.h"
#include "tests/support/command.h"
#include "tests/support/crash_note.h"
#include "tests/support/metadata_blocks.h"
#include "tests/support/recipe_image.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr size_t kCases = 400;
constexpr size_t kCuts = 100;
constexpr size_t kCommandCases = 25;
constexpr auto kLongestCommand = std::chrono::seconds(2);
constexpr int kMostFailuresShown = 10;
// No record that tells a mapping or an entry is smaller: so many of them fit into an image.
constexpr uint64_t kLeastRecordBytes = 8;

uint64_t Seed() { return std::max(1, GTEST_FLAG_GET(random_seed)); }

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

size_t CaseCount(size_t otherwise) {
  uint64_t count = 0;
  return absl::SimpleAtoi(Environment("IOMAP_DAMAGE_CASES"), &count) ? count : otherwise;
}

// The image of a row, whole, and all the right answers about it.
class DamageTest : public testing::TestWithParam<DamageRecipe> {
 protected:
  void SetUp() override {
    ASSERT_THAT(MakeImage(), IsOk());
    const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(image_path_);
    ASSERT_THAT(filesystem, IsOk());
    const absl::StatusOr<std::vector<MetadataBlock>> blocks =
        FindMetadataBlocks(image_path_, **filesystem);
    ASSERT_THAT(blocks, IsOk());
    blocks_ = *blocks;
    struct stat status = {};
    ASSERT_EQ(stat(image_path_.c_str(), &status), 0);
    image_bytes_ = status.st_size;
    most_work_ = uint64_t{512} * status.st_blocks / kLeastRecordBytes;
    right_ = AskEverything(**filesystem, {.most = most_work_});
    ASSERT_EQ(right_.errors, 0);
    ASSERT_GT(right_.paths.size(), 300u);
    ExpectKinds(GetParam().kinds);
    if (filled_through_mount_) {
      ExpectKinds(GetParam().mounted_kinds);
    }
  }

  // Judges the answers about the image at `path` as it now is, which is case `text`.
  void Ask(const std::string& path, bool must_be_right, const std::string& text,
           const std::string& where) {
    const std::string rerun = RerunLine(text);
    NoteForCrash("the process died; rerun: " + rerun);
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<std::string> wrong = Judge(path, must_be_right);
    const auto spent = std::chrono::steady_clock::now() - begin;
    if (spent > slowest_) {
      slowest_ = spent;
      slowest_case_ = text;
    }
    ++cases_;
    Report(wrong, where, rerun);
  }

  // At the end: no case failed, and enough of what was damaged is read at all.
  void Conclude(int least_with_errors) {
    EXPECT_EQ(failures_, 0) << "of " << cases_ << " cases";
    EXPECT_GE(cases_with_errors_, least_with_errors);
    std::cout << "cases: " << cases_ << ", with errors: " << cases_with_errors_ << ", of "
              << blocks_.size() << " blocks; the slowest, " << slowest_case_ << ", took "
              << std::chrono::duration_cast<std::chrono::milliseconds>(slowest_).count() << " ms"
              << std::endl;
  }

  // At most `most` cases, 0 for all there are; or the one that the environment names.
  std::vector<DamageCase> Choose(size_t most) const {
    const std::string only = Environment("IOMAP_DAMAGE_CASE");
    if (only.empty()) {
      return ChooseCases(blocks_, Seed(), most);
    }
    const std::optional<Damage> damage = Damage::Parse(only);
    for (DamageCase& damage_case : ChooseCases(blocks_, Seed(), 0)) {
      if (damage.has_value() && damage_case.damage.address == damage->address) {
        damage_case.damage = *damage;
        return {damage_case};
      }
    }
    ADD_FAILURE() << only << ": no metadata there";
    return {};
  }

  // Calls `ask` while the image has the damage, for each of them.
  void ForEachDamage(const std::vector<DamageCase>& cases,
                     absl::FunctionRef<void(const DamageCase&)> ask) {
    const absl::StatusOr<DamageableImage> image = DamageableImage::Open(image_path_);
    ASSERT_THAT(image, IsOk());
    const absl::StatusOr<std::unique_ptr<dax::Filesystem>> undamaged = OpenImage(image_path_);
    ASSERT_THAT(undamaged, IsOk());
    const absl::StatusOr<std::unique_ptr<ChecksumRepair>> repair =
        ChecksumRepair::Make(image_path_, **undamaged);
    ASSERT_THAT(repair, IsOk());
    for (const DamageCase& damage_case : cases) {
      ASSERT_THAT(image->WithDamage(damage_case, **repair, [&] { ask(damage_case); }), IsOk());
    }
  }

  // How to ask again about case `text`.
  static std::string RerunLine(const std::string& text) {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    return absl::StrCat("IOMAP_DAMAGE_CASE=", text,
                        " tests/damage/damage_tests --gtest_filter=", test.test_suite_name(), ".",
                        test.name(), " --gtest_random_seed=", Seed());
  }

  const std::string& image_path() const { return image_path_; }
  std::string scratch_path() const { return workshop_->folder / "scratch"; }
  uint64_t image_bytes() const { return image_bytes_; }
  const std::vector<MetadataBlock>& blocks() const { return blocks_; }

 private:
  // What is wrong with the answers; one line each.
  std::vector<std::string> Judge(const std::string& path, bool must_be_right) {
    const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(path);
    if (!filesystem.ok()) {
      ++cases_with_errors_;
      const std::string fault = FaultOf(filesystem.status());
      return fault.empty() ? std::vector<std::string>() : std::vector<std::string>{fault};
    }
    const Answers answers = AskEverything(**filesystem, {.most = most_work_});
    cases_with_errors_ += answers.errors > 0 ? 1 : 0;
    std::vector<std::string> wrong = answers.faults;
    if (answers.exceeded) {
      wrong.push_back(absl::StrCat("more than ", most_work_, " mappings or entries"));
    }
    if (must_be_right) {
      for (std::string& difference : WrongAnswers(right_, answers)) {
        wrong.push_back(std::move(difference));
      }
    }
    return wrong;
  }

  void Report(const std::vector<std::string>& wrong, const std::string& where,
              const std::string& rerun) {
    if (wrong.empty() || ++failures_ > kMostFailuresShown) {
      return;
    }
    for (size_t i = 0; i < wrong.size() && i < 3; ++i) {
      ADD_FAILURE() << where << ": " << wrong[i];
    }
    ADD_FAILURE() << wrong.size() << " wrong answers; rerun: " << rerun;
  }

  absl::Status MakeImage() {
    IOMAP_ASSIGN_OR_RETURN(Workshop workshop, Workshop::Make());
    workshop_ = std::make_unique<Workshop>(std::move(workshop));
    image_path_ = workshop_->image_path();
    const Recipe& recipe = GetParam().image;
    filled_through_mount_ = recipe.kernel_mounts && WhyNoMount().empty();
    const std::string folder = Environment("IOMAP_DAMAGE_IMAGES");
    const std::string kept = folder + "/" + recipe.name;
    if (!folder.empty() && access(kept.c_str(), F_OK) == 0) {
      return OutputOf({"cp", "--sparse=always", kept, image_path_}).status();
    }
    IOMAP_RETURN_IF_ERROR(filled_through_mount_ ? MakeImageThroughMount(recipe, Seed(), *workshop_)
                                                : MakeImageFromSource(recipe, Seed(), *workshop_));
    return folder.empty() ? absl::OkStatus()
                          : OutputOf({"cp", "--sparse=always", image_path_, kept}).status();
  }

  void ExpectKinds(const std::vector<std::string>& kinds) {
    for (const std::string& kind : kinds) {
      EXPECT_TRUE(std::any_of(blocks_.begin(), blocks_.end(),
                              [&](const MetadataBlock& block) { return block.kind == kind; }))
          << "the image has no block of kind: " << kind;
    }
  }

  std::unique_ptr<Workshop> workshop_;
  std::string image_path_;
  bool filled_through_mount_ = false;
  uint64_t image_bytes_ = 0;
  uint64_t most_work_ = 0;
  std::vector<MetadataBlock> blocks_;
  Answers right_;
  int cases_with_errors_ = 0;
  int failures_ = 0;
  size_t cases_ = 0;
  std::chrono::steady_clock::duration slowest_ = {};
  std::string slowest_case_;
};

// Whether the format lets a reader tell this damage.
bool MustBeRight(const DamageRecipe& recipe, const DamageCase& damage_case) {
  const DamageKind kind = damage_case.damage.kind;
  if (recipe.checksums == Checksums::kNone || kind == DamageKind::kField) {
    return false;
  }
  const bool is_ext4 = recipe.image.type == "ext4";
  // A block of XFS says where it belongs. Two of ext4 that one inode owns have checksums that are
  // right in each other's place.
  if (kind == DamageKind::kSwap && is_ext4) {
    return false;
  }
  // A long target is data to ext4: it has no checksum.
  return !(is_ext4 && damage_case.block.kind == "symbolic link");
}

TEST_P(DamageTest, GivesAnErrorOrTheRightAnswer) {
  const std::vector<DamageCase> cases = Choose(CaseCount(kCases));
  ForEachDamage(cases, [&](const DamageCase& damage_case) {
    Ask(image_path(), MustBeRight(GetParam(), damage_case), damage_case.damage.Text(),
        damage_case.block.kind);
  });
  Conclude(Environment("IOMAP_DAMAGE_CASE").empty() ? static_cast<int>(cases.size() / 10) : 0);
}

using CommandDamageTest = DamageTest;

// What is wrong with the end of a command that was to map all files of an image; empty when nothing
// is.
std::string FaultOf(const CommandResult& result) {
  if (result.exit_status == 0) {
    return "";
  }
  if (result.exit_status != 3) {
    return absl::StrCat("exit status ", result.exit_status, ": ", result.errors);
  }
  const bool says_why = !result.errors.empty() || absl::StrContains(result.output, "\"error\"");
  return says_why ? "" : "exit status 3, and no word why";
}

TEST_P(CommandDamageTest, EndsInTimeWithoutASignal) {
  const std::vector<DamageCase> cases = Choose(CaseCount(kCommandCases));
  std::map<int, int> statuses;
  std::chrono::steady_clock::duration slowest = {};
  ForEachDamage(cases, [&](const DamageCase& damage_case) {
    const auto begin = std::chrono::steady_clock::now();
    const absl::StatusOr<CommandResult> result =
        RunCommand({"env", IOMAP_COMMAND, "map", "--all", "--format=json", image_path()});
    const auto spent = std::chrono::steady_clock::now() - begin;
    ASSERT_THAT(result, IsOk());
    EXPECT_EQ(FaultOf(*result), "") << RerunLine(damage_case.damage.Text());
    EXPECT_LT(spent, kLongestCommand) << RerunLine(damage_case.damage.Text());
    ++statuses[result->exit_status];
    slowest = std::max(slowest, spent);
  });
  if (Environment("IOMAP_DAMAGE_CASE").empty()) {
    EXPECT_GT(statuses[3], 0) << "no damage was met";
  }
  for (const auto& [status, count] : statuses) {
    std::cout << count << " runs with exit status " << status << "; ";
  }
  std::cout << "the slowest took "
            << std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count() << " ms"
            << std::endl;
}

using TruncationTest = DamageTest;

// Where to cut an image of `image_bytes` bytes, in descending order: at the powers of two, and at
// the edges of `blocks`, one byte beside them, and in their middle.
std::vector<uint64_t> Cuts(const std::vector<MetadataBlock>& blocks, uint64_t image_bytes,
                           size_t most) {
  std::vector<MetadataBlock> chosen;
  for (const DamageCase& damage_case : ChooseCases(blocks, Seed(), most)) {
    chosen.push_back(damage_case.block);
  }
  std::set<uint64_t, std::greater<>> cuts;
  for (uint64_t size = 1; size < image_bytes; size *= 2) {
    cuts.insert(size);
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    const uint64_t begin = chosen[i].address;
    const uint64_t places[] = {begin, begin + 1, begin + chosen[i].length / 2,
                               begin + chosen[i].length - 1, begin + chosen[i].length};
    cuts.insert(std::min(places[i % std::size(places)], image_bytes - 1));
  }
  cuts.insert(0);
  return {cuts.begin(), cuts.end()};
}

TEST_P(TruncationTest, GivesAnErrorOrTheRightAnswer) {
  const std::string only = Environment("IOMAP_DAMAGE_CASE");
  ASSERT_THAT(OutputOf({"cp", "--sparse=always", image_path(), scratch_path()}), IsOk());
  uint64_t only_size = 0;
  const size_t most = CaseCount(kCases) == 0 ? 0 : kCuts;
  std::vector<uint64_t> cuts = Cuts(blocks(), image_bytes(), most);
  if (!only.empty()) {
    ASSERT_TRUE(absl::SimpleAtoi(only, &only_size)) << only;
    cuts = {only_size};
  }
  // Each is a piece of the one before: a single copy is enough.
  for (uint64_t size : cuts) {
    ASSERT_EQ(truncate(scratch_path().c_str(), static_cast<off_t>(size)), 0);
    Ask(scratch_path(), /*must_be_right=*/true, absl::StrCat(size), "cut");
  }
  Conclude(only.empty() ? static_cast<int>(cuts.size() / 4) : 0);
}

std::string NameOf(const testing::TestParamInfo<DamageRecipe>& info) {
  return info.param.image.name;
}

INSTANTIATE_TEST_SUITE_P(Images, DamageTest, testing::ValuesIn(DamageRecipes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Images, CommandDamageTest, testing::ValuesIn(DamageRecipes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Images, TruncationTest, testing::ValuesIn(DamageRecipes()), NameOf);

}  // namespace
}  // namespace iomap::tests
