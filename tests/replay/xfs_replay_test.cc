// xfs images that were shut down under load, or copied while they were mounted: ours, which are not
// touched, against copies that Linux has recovered.
//
// Environment:
//   IOMAP_REPLAY_SEEDS=N   images of each kind, with the seeds from --gtest_random_seed on

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "backends/xfs/log.h"
#include "dax/file_device.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/replay/seed_count.h"
#include "tests/replay/xfs_dirty_recipes.h"
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

absl::Status RunRounds(const XfsDirtyRecipe& recipe, uint64_t seed, const std::string& mount_path) {
  for (int round = 0; round < recipe.rounds; ++round) {
    const std::string folder = absl::StrCat(mount_path, "/round-", round);
    if (mkdir(folder.c_str(), 0755) != 0) {
      return SystemError(folder);
    }
    IOMAP_RETURN_IF_ERROR(recipe.load(folder, seed + static_cast<uint64_t>(round)));
  }
  return absl::OkStatus();
}

// Changes a byte in the middle of the last record's body, as if it had not arrived.
absl::Status TearLastRecord(const std::string& image_path) {
  xfs::Volume volume;
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::Device> device,
                         dax::FileDevice::OpenReadOnly(image_path, /*image_offset=*/0));
  IOMAP_ASSIGN_OR_RETURN(volume.superblock, xfs::ParseSuperblock(*device));
  volume.devices.push_back(std::move(device));
  IOMAP_ASSIGN_OR_RETURN(const xfs::Log log, xfs::Log::Open(volume));
  IOMAP_ASSIGN_OR_RETURN(const xfs::Log::State state, log.FindState());
  IOMAP_ASSIGN_OR_RETURN(const xfs::LogRecord last,
                         log.ring().LastRecordBefore(state.head, log.ring().block_count()));
  const uint32_t block =
      log.ring().Wrap(uint64_t{last.block} + last.header_blocks + last.body_blocks / 2);
  const std::byte torn = ~log.ring().BlockAt(block)[100];
  const uint64_t address = volume.superblock.AddressOfBlock(volume.superblock.log_start) +
                           uint64_t{block} * xfs::kBasicBlockSize + 100;
  const FileDescriptor file(open(image_path.c_str(), O_WRONLY | O_CLOEXEC));
  return pwrite(file.get(), &torn, 1, static_cast<off_t>(address)) == 1 ? absl::OkStatus()
                                                                        : SystemError(image_path);
}

absl::Status MakeDirtyImage(const XfsDirtyRecipe& recipe, uint64_t seed, const Workshop& workshop) {
  IOMAP_RETURN_IF_ERROR(MakeEmptyImage(EmptyImageOf(recipe), workshop));
  SharingThreads threads;
  DirtyImage dirty;
  dirty.type = "xfs";
  dirty.image_path = workshop.image_path();
  dirty.mount_path = workshop.mount_path();
  dirty.mount_options = recipe.mount_options;
  dirty.taken = recipe.taken;
  dirty.shutdown = recipe.shutdown;
  dirty.load = [&](const std::string& path) {
    return recipe.threads ? threads.Start(path, seed) : RunRounds(recipe, seed, path);
  };
  dirty.release = [&] { threads.Join(); };
  IOMAP_RETURN_IF_ERROR(MakeDirty(dirty));
  return recipe.tears_last_record ? TearLastRecord(workshop.image_path()) : absl::OkStatus();
}

void ExpectLinuxReadsTheSame(const XfsDirtyRecipe& recipe, uint64_t seed) {
  SCOPED_TRACE(absl::StrCat(RerunLine(), " (seed ", seed, ")"));
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeDirtyImage(recipe, seed, *workshop), IsOk());
  const std::string image = workshop->image_path();
  const absl::StatusOr<std::string> digest = OutputOf({"sha256sum", image});

  XfsLogFacts facts;
  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(
      image, {.on_replay = [&](const backends::ReplayAction& action) { facts.Add(action); }});
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info()->journal, JournalState::kReplayed);
  std::cout << recipe.name << ", seed " << seed << ":";
  for (const auto& [fact, count] : facts.counts()) {
    std::cout << " " << fact << " " << count << ",";
  }
  std::cout << std::endl;
  for (const std::string& fact : recipe.facts) {
    EXPECT_GT(facts.Count(fact), 0u) << "the log does not have: " << fact;
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
