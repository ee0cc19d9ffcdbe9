#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "iomap/path.h"
#include "tests/support/dirty_image.h"
#include "tests/support/expectations.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/recipe.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

// Changes the file system and stops it while the changes are in its journal alone.
absl::Status LeaveJournalDirty(const Recipe& recipe, const Workshop& workshop) {
  DirtyImage dirty;
  dirty.type = recipe.type;
  dirty.image_path = workshop.image_path();
  dirty.mount_path = workshop.mount_path();
  dirty.load = [](const std::string& mount_path) -> absl::Status {
    for (int i = 0; i < 20; ++i) {
      const std::string path = absl::StrCat(mount_path, "/late-", i);
      const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
      if (!file.is_open() || write(file.get(), "late", 4) != 4 || fsync(file.get()) != 0) {
        return SystemError(path);
      }
    }
    return absl::OkStatus();
  };
  return MakeDirty(dirty);
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

TEST_P(DirtyJournal, IsReadAsItLiesWhenItIsToBeIgnored) {
  IOMAP_SKIP_IF(WhyNoMount());
  SCOPED_TRACE(RerunLine());
  const Recipe recipe = RecipeOf(GetParam());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeImageThroughMount(recipe, Seed(), *workshop), IsOk());
  ASSERT_THAT(OpenImage(workshop->image_path()), IsOk());
  ASSERT_THAT(LeaveJournalDirty(recipe, *workshop), IsOk());

  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
      OpenImage(workshop->image_path(), {.dirty_journal = backends::DirtyJournal::kIgnore});
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info().value().journal, JournalState::kDirty);
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
