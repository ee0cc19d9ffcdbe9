#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "iomap/path.h"
#include "tests/oracle/expectations.h"
#include "tests/oracle/rerun.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/recipe.h"
#include "tests/support/recipe_image.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

// The call by which a program stops a mounted file system as a power cut would; the same number in
// ext4 and XFS. The flag: what is in the log so far is written, nothing else.
constexpr unsigned long kShutdown = _IOR('X', 125, uint32_t);
constexpr uint32_t kFlushLogOnly = 1;

// Changes the file system and stops it while the changes are in its journal alone.
absl::Status LeaveJournalDirty(const Recipe& recipe, const Workshop& workshop) {
  const absl::StatusOr<std::unique_ptr<LoopMount>> mount =
      LoopMount::Make(workshop.image_path(), workshop.mount_path(), recipe.type,
                      MountMode::kReadWrite, /*options=*/"");
  if (!mount.ok()) {
    return mount.status();
  }
  for (int i = 0; i < 20; ++i) {
    const std::string path = absl::StrCat(workshop.mount_path(), "/late-", i);
    const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!file.is_open() || write(file.get(), "late", 4) != 4 || fsync(file.get()) != 0) {
      return SystemError(path);
    }
  }
  FileDescriptor root(open(workshop.mount_path().c_str(), O_RDONLY | O_CLOEXEC));
  uint32_t flag = kFlushLogOnly;
  if (ioctl(root.get(), kShutdown, &flag) != 0) {
    return SystemError("shut down ", workshop.mount_path());
  }
  root.Close();
  return (*mount)->Unmount();
}

class DirtyJournal : public testing::TestWithParam<std::string> {
 protected:
  static Recipe RecipeOf(const std::string& type) {
    Recipe recipe;
    recipe.type = type;
    recipe.image_bytes = uint64_t{512} << 20;
    recipe.mkfs = type == "xfs" ? Arguments{"mkfs.xfs", "-q", "-f"}
                                : Arguments{"mkfs.ext4", "-q", "-F", "-b", "4096"};
    return recipe;
  }
};

TEST_P(DirtyJournal, IsRefusedUnlessItIsToBeIgnored) {
  IOMAP_SKIP_IF(WhyNoMount());
  SCOPED_TRACE(RerunLine());
  const Recipe recipe = RecipeOf(GetParam());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeImageThroughMount(recipe, Seed(), *workshop), IsOk());
  ASSERT_THAT(OpenImage(workshop->image_path()), IsOk());
  ASSERT_THAT(LeaveJournalDirty(recipe, *workshop), IsOk());

  EXPECT_THAT(OpenImage(workshop->image_path()),
              StatusIs(absl::StatusCode::kUnimplemented, testing::HasSubstr("--no-replay")));

  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
      OpenImage(workshop->image_path(), {.dirty_journal = backends::DirtyJournal::kIgnore});
  ASSERT_THAT(filesystem, IsOk());
  std::map<InodeNumber, std::string> inodes;
  EXPECT_THAT(WalkTree(
                  **filesystem,
                  [&](const TreeEntry& entry) {
                    inodes.emplace(entry.inode, std::string(entry.path));
                    return true;
                  },
                  [](absl::string_view path, const absl::Status& status) {
                    ADD_FAILURE() << path << ": " << status;
                    return true;
                  }),
              IsOk());
  EXPECT_GT(inodes.size(), 100u);
  ExpectRefereeAgrees(recipe, *workshop, **filesystem, inodes, /*facts=*/{});
}

INSTANTIATE_TEST_SUITE_P(Images, DirtyJournal, testing::Values("ext4", "xfs"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace iomap::tests
