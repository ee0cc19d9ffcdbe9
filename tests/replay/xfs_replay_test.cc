// xfs images that were shut down under load, or copied while they were mounted: ours, which are not
// touched, against copies that Linux has recovered.
//
// Environment:
//   IOMAP_REPLAY_SEEDS=N   images of each kind, with the seeds from --gtest_random_seed on

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/log.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/replay/seed_count.h"
#include "tests/replay/xfs_dirty_recipes.h"
#include "tests/replay/xfs_image_log.h"
#include "tests/replay/xfs_load.h"
#include "tests/replay/xfs_log_facts.h"
#include "tests/support/command.h"
#include "tests/support/expectations.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

Recipe EmptyImageOf(const XfsDirtyRecipe& recipe) {
  Recipe empty;
  empty.type = "xfs";
  empty.image_bytes = recipe.image_bytes;
  // mkfs.xfs makes small logs only where it believes that xfstests ask for them.
  empty.mkfs = {"env", "TEST_DIR=1", "TEST_DEV=1", "QA_CHECK_FS=1", "mkfs.xfs", "-q", "-f"};
  empty.mkfs.insert(empty.mkfs.end(), recipe.mkfs.begin(), recipe.mkfs.end());
  return empty;
}

absl::Status RunRounds(const XfsDirtyRecipe& recipe, uint64_t seed, const Workshop& workshop) {
  for (int round = 0; round < recipe.rounds; ++round) {
    const std::string folder = absl::StrCat(workshop.mount_path(), "/round-", round);
    if (mkdir(folder.c_str(), 0755) != 0) {
      return SystemError(folder);
    }
    IOMAP_RETURN_IF_ERROR(recipe.load(folder, seed + static_cast<uint64_t>(round)));
    if (!recipe.until_log_wraps) {
      continue;
    }
    const FileDescriptor mounted(open(workshop.mount_path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!mounted.is_open() || syncfs(mounted.get()) != 0) {
      return SystemError(workshop.mount_path());
    }
    IOMAP_ASSIGN_OR_RETURN(const XfsImageLog log, XfsImageLog::Open(workshop.image_path()));
    if (log.wraps()) {
      return absl::OkStatus();
    }
  }
  return recipe.until_log_wraps ? absl::InternalError("the log does not wrap") : absl::OkStatus();
}

// Changes a byte in the middle of the last record's body, as if it had not arrived.
absl::Status TearLastRecord(const std::string& image_path) {
  IOMAP_ASSIGN_OR_RETURN(const XfsImageLog whole, XfsImageLog::Open(image_path));
  const xfs::LogRing& ring = whole.log().ring();
  IOMAP_ASSIGN_OR_RETURN(const xfs::LogRecord last,
                         ring.LastRecordBefore(whole.state().head, ring.block_count()));
  const uint32_t block =
      ring.Wrap(uint64_t{last.block} + last.header_blocks + last.body_blocks / 2);
  const std::byte torn = ~ring.BlockAt(block)[100];
  const uint64_t address = whole.superblock().AddressOfBlock(whole.superblock().log_start) +
                           uint64_t{block} * xfs::kBasicBlockSize + 100;
  const FileDescriptor file(open(image_path.c_str(), O_WRONLY | O_CLOEXEC));
  if (pwrite(file.get(), &torn, 1, static_cast<off_t>(address)) != 1) {
    return SystemError(image_path);
  }
  IOMAP_ASSIGN_OR_RETURN(const XfsImageLog shorter, XfsImageLog::Open(image_path));
  return shorter.state().head == last.block ? absl::OkStatus()
                                            : absl::InternalError("the torn record still counts");
}

absl::Status MakeDirtyImage(const XfsDirtyRecipe& recipe, uint64_t seed, const Workshop& workshop) {
  IOMAP_RETURN_IF_ERROR(MakeEmptyImage(EmptyImageOf(recipe), workshop));
  const std::unique_ptr<ThreadedLoad> threads =
      recipe.threads != nullptr ? recipe.threads() : nullptr;
  DirtyImage dirty;
  dirty.type = "xfs";
  dirty.image_path = workshop.image_path();
  dirty.mount_path = workshop.mount_path();
  dirty.mount_options = recipe.mount_options;
  dirty.taken = recipe.taken;
  dirty.shutdown = recipe.shutdown;
  dirty.load = [&](const std::string& path) {
    return threads != nullptr ? threads->Start(path, seed) : RunRounds(recipe, seed, workshop);
  };
  if (threads != nullptr) {
    dirty.release = [&] { threads->Join(); };
  }
  IOMAP_RETURN_IF_ERROR(MakeDirty(dirty));
  return recipe.tears_last_record ? TearLastRecord(workshop.image_path()) : absl::OkStatus();
}

// What a recovery of the image does.
absl::StatusOr<XfsLogFacts> FactsOf(const std::string& image_path) {
  XfsLogFacts facts;
  const auto filesystem =
      OpenImage(image_path, {.on_replay = [&](const auto& action) { facts.Add(action); }});
  return filesystem.ok() ? absl::StatusOr<XfsLogFacts>(facts) : filesystem.status();
}

bool HasAll(const XfsLogFacts& facts, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const std::string& fact) { return facts.Count(fact) > 0; });
}

// Where threads run, what they are at when the log is written for the last time is not in our
// hands: images are made until one has what the recipe wants.
absl::StatusOr<XfsLogFacts> MakeImageWithFacts(const XfsDirtyRecipe& recipe, uint64_t seed,
                                               const Workshop& workshop) {
  const int most_images = recipe.threads != nullptr ? 20 : 1;
  XfsLogFacts facts;
  for (int i = 0; i < most_images && (i == 0 || !HasAll(facts, recipe.facts)); ++i) {
    std::remove(workshop.image_path().c_str());
    IOMAP_RETURN_IF_ERROR(MakeDirtyImage(recipe, seed, workshop));
    IOMAP_ASSIGN_OR_RETURN(facts, FactsOf(workshop.image_path()));
  }
  return facts;
}

void ExpectLinuxReadsTheSame(const XfsDirtyRecipe& recipe, uint64_t seed) {
  SCOPED_TRACE(absl::StrCat(RerunLine(), " (seed ", seed, ")"));
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  const absl::StatusOr<XfsLogFacts> facts = MakeImageWithFacts(recipe, seed, *workshop);
  ASSERT_THAT(facts, IsOk());
  const std::string image = workshop->image_path();
  const absl::StatusOr<std::string> digest = OutputOf({"sha256sum", image});
  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(image);
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info()->journal, JournalState::kReplayed);
  std::cout << recipe.name << ", seed " << seed << ":";
  for (const auto& [fact, count] : facts->counts()) {
    std::cout << " " << fact << " " << count << ",";
  }
  std::cout << std::endl;
  const absl::StatusOr<XfsImageLog> log = XfsImageLog::Open(image);
  ASSERT_THAT(log, IsOk());
  EXPECT_TRUE(log->wraps() || !recipe.until_log_wraps);
  EXPECT_TRUE(!recipe.has_long_records || log->LongRecords().value() > 0);
  for (const std::string& fact : recipe.facts) {
    EXPECT_GT(facts->Count(fact), 0u) << "the log does not have: " << fact;
  }

  const std::string recovered = workshop->folder / "recovered";
  ASSERT_THAT(CopyImage(image, recovered), IsOk());
  ASSERT_THAT(ReplayByKernel("xfs", recovered, workshop->mount_path()), IsOk());
  const absl::StatusOr<std::unique_ptr<LoopMount>> mount = LoopMount::Make(
      recovered, workshop->mount_path(), "xfs", MountMode::kReadOnly, /*options=*/"");
  ASSERT_THAT(mount, IsOk());
  ExpectSameTree(**filesystem, workshop->mount_path(), Truth::kMountedImage);
  EXPECT_EQ(OutputOf({"sha256sum", image}).value(), digest.value()) << "the image was touched";
}

using XfsReplay = testing::TestWithParam<XfsDirtyRecipe>;

TEST_P(XfsReplay, ServesWhatLinuxRecovers) {
  IOMAP_SKIP_IF(WhyNoMount());
  for (uint64_t i = 0; i < SeedCount(); ++i) {
    ExpectLinuxReadsTheSame(GetParam(), Seed() + i);
  }
}

INSTANTIATE_TEST_SUITE_P(Images, XfsReplay, testing::ValuesIn(XfsDirtyRecipes()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace iomap::tests
