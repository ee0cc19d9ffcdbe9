#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/registry.h"
#include "dax/file_device.h"
#include "gtest/gtest.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tests/support/command.h"
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

// Two groups of a power of two of blocks: so a block number of the format, which has the group in
// its upper bits, is the number of a block from the start of the device too, and stays right when
// the file that holds it is made a realtime file.
constexpr uint64_t kDeviceBytes = uint64_t{512} << 20;

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenWithRealtimeDevice(
    const std::string& image, const std::string& realtime) {
  dax::DeviceSet devices;
  for (const std::string& path : {image, realtime}) {
    IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(),
                           dax::FileDevice::OpenReadOnly(path, /*image_offset=*/0));
  }
  return backends::OpenFilesystem(backends::BuiltInBackends(), std::move(devices), "xfs", {});
}

// Moves the bytes of the extents from one device to the same addresses of the other.
absl::Status MoveBytes(const ExtentList& extents, const FileDescriptor& from,
                       const FileDescriptor& to) {
  for (const Mapping& extent : extents) {
    std::string bytes(extent.length, '\0');
    const std::string garbage(extent.length, 'g');
    const auto address = static_cast<off_t>(extent.address);
    const auto length = static_cast<ssize_t>(extent.length);
    if (pread(from.get(), bytes.data(), bytes.size(), address) != length ||
        pwrite(to.get(), bytes.data(), bytes.size(), address) != length ||
        pwrite(from.get(), garbage.data(), garbage.size(), address) != length) {
      return SystemError("move ", extent.length, " bytes at ", extent.address);
    }
  }
  return absl::OkStatus();
}

// The regular files below /files, by inode number.
absl::StatusOr<std::map<InodeNumber, std::string>> FilesToConvert(dax::Filesystem& filesystem) {
  std::map<InodeNumber, std::string> files;
  IOMAP_RETURN_IF_ERROR(WalkTree(
      filesystem,
      [&files](const TreeEntry& entry) {
        if (entry.type == FileType::kRegular && absl::StartsWith(entry.path, "/files/")) {
          files.emplace(entry.inode, std::string(entry.path));
        }
        return true;
      },
      [](absl::string_view, const absl::Status&) { return true; }));
  return files;
}

// Neither this kernel nor mkfs.xfs makes realtime files; xfs_db turns ordinary ones into them.
absl::Status ConvertFiles(const Recipe& recipe, const Workshop& workshop,
                          const std::string& realtime_path) {
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem,
                         OpenWithRealtimeDevice(workshop.image_path(), realtime_path));
  IOMAP_ASSIGN_OR_RETURN(const auto files, FilesToConvert(*filesystem));
  IOMAP_ASSIGN_OR_RETURN(const RefereeReport report, AskReferee(recipe, workshop, files));
  const FileDescriptor image(open(workshop.image_path().c_str(), O_RDWR | O_CLOEXEC));
  const FileDescriptor realtime(open(realtime_path.c_str(), O_RDWR | O_CLOEXEC));
  std::string script;
  for (const auto& [inode, file] : report.files) {
    IOMAP_RETURN_IF_ERROR(MoveBytes(file.extents, image, realtime));
    absl::StrAppend(&script, "inode ", inode, "\nwrite core.realtime 1\n");
  }
  return OutputOf({"xfs_db", "-x", workshop.image_path()}, script).status();
}

TEST(RealtimeFiles, LieOnTheSecondDevice) {
  IOMAP_SKIP_IF(WhyNoProgram("xfs_db"));
  SCOPED_TRACE(RerunLine());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  const std::string realtime_path = workshop->folder / "realtime";
  const FileDescriptor realtime(open(realtime_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(realtime.get(), kDeviceBytes), 0);
  Recipe recipe;
  recipe.type = "xfs";
  recipe.image_bytes = kDeviceBytes;
  recipe.mkfs = {"mkfs.xfs",  "-q",        "-f",
                 "-m",        "reflink=0", "-d",
                 "agcount=2", "-r",        absl::StrCat("rtdev=", realtime_path)};
  recipe.mkfs_longest_symlink = 300;
  ASSERT_THAT(MakeImageFromSource(recipe, Seed(), *workshop), IsOk());
  ASSERT_THAT(ConvertFiles(recipe, *workshop, realtime_path), IsOk());

  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
      OpenWithRealtimeDevice(workshop->image_path(), realtime_path);
  ASSERT_THAT(filesystem, IsOk());
  const std::map<InodeNumber, std::string> inodes =
      ExpectSameTree(**filesystem, workshop->source_path(), Truth::kSourceTree);
  ExpectRefereeAgrees(recipe, *workshop, **filesystem, inodes, {"realtime file"});
}

}  // namespace
}  // namespace iomap::tests
