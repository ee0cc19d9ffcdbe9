#include "tests/bench/bench_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/registry.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/support/command.h"
#include "tests/support/system_error.h"
#include "tests/support/tree_filler.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kImageBytes = uint64_t{4} << 30;
constexpr uint64_t kContiguousBytes = uint64_t{1} << 30;
constexpr int kWrittenBlocks = 20000;  // the others stay unwritten: images lie in memory

absl::Status MakeContiguousFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.is_open() || fallocate(file.get(), 0, 0, kContiguousBytes) != 0) {
    return SystemError(path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BenchImage>> BenchImage::Make(const std::string& backend,
                                                             int extents) {
  IOMAP_ASSIGN_OR_RETURN(TemporaryDirectory directory, TemporaryDirectory::Make());
  std::unique_ptr<BenchImage> image(new BenchImage(backend, std::move(directory)));
  IOMAP_RETURN_IF_ERROR(image->Fill(extents));
  IOMAP_RETURN_IF_ERROR(image->Mount());
  return image;
}

BenchImage::BenchImage(std::string backend, TemporaryDirectory directory)
    : backend_(std::move(backend)), directory_(std::move(directory)) {}

absl::Status BenchImage::Fill(int extents) const {
  if (mkdir((directory_ / "mount").c_str(), 0755) != 0) {
    return SystemError("mkdir");
  }
  const FileDescriptor file(open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.is_open() || ftruncate(file.get(), kImageBytes) != 0) {
    return SystemError(path());
  }
  const Arguments mkfs = backend_ == "ext4"
                             ? Arguments{"mkfs.ext4", "-q", "-b", "4096", path()}
                             : Arguments{"mkfs.xfs", "-q", "-b", "size=4096", path()};
  IOMAP_RETURN_IF_ERROR(OutputOf(mkfs).status());
  IOMAP_ASSIGN_OR_RETURN(
      const std::unique_ptr<LoopMount> mount,
      LoopMount::Make(path(), directory_ / "mount", backend_, MountMode::kReadWrite, ""));
  const auto path_of = [&](absl::string_view name) {
    return absl::StrCat(mount->path(), "/", name);
  };
  IOMAP_RETURN_IF_ERROR(MakeContiguousFile(path_of(kContiguous)));
  IOMAP_RETURN_IF_ERROR(
      MakeFragmentedFile(path_of(kFragmented), kBenchBlockSize, extents, kWrittenBlocks));
  return mount->Unmount();
}

absl::Status BenchImage::Mount() {
  IOMAP_ASSIGN_OR_RETURN(
      mount_, LoopMount::Make(path(), directory_ / "mount", backend_, MountMode::kReadOnly, ""));
  return absl::OkStatus();
}

absl::Status BenchImage::MountAgain() {
  IOMAP_RETURN_IF_ERROR(mount_->Unmount());
  return Mount();
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> BenchImage::Open() const {
  dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(),
                         dax::FileDevice::OpenReadOnly(path(), /*image_offset=*/0));
  return backends::OpenFilesystem(backends::BuiltInBackends(), std::move(devices), /*name=*/"", {});
}

absl::StatusOr<FileDescriptor> BenchImage::OpenInKernel(absl::string_view name) const {
  const std::string path = absl::StrCat(mount_->path(), "/", name);
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    return SystemError(path);
  }
  return file;
}

absl::StatusOr<std::shared_ptr<File>> OpenByName(Filesystem& filesystem, absl::string_view name) {
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber inode, filesystem.LookUp(filesystem.root(), name));
  return filesystem.Open(inode);
}

}  // namespace iomap::tests
