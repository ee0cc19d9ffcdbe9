#include "tests/support/loop_mount.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

using std::chrono::steady_clock;

constexpr auto kLongestWait = std::chrono::seconds(20);
constexpr auto kPollInterval = std::chrono::milliseconds(1);

struct LoopDevice {
  FileDescriptor device;
  int number = 0;
};

// Binds a free loop device to `image`, until the last program closes the device. Other programs
// take devices at the same time; then the next one is tried.
absl::StatusOr<LoopDevice> BindLoopDevice(const std::string& image, MountMode mode) {
  const int access_mode = mode == MountMode::kReadOnly ? O_RDONLY : O_RDWR;
  const FileDescriptor backing_file(open(image.c_str(), access_mode | O_CLOEXEC));
  if (!backing_file.is_open()) {
    return SystemError(image);
  }
  const FileDescriptor control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  const auto deadline = steady_clock::now() + kLongestWait;
  while (steady_clock::now() < deadline) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) {
      return SystemError("LOOP_CTL_GET_FREE");
    }
    const std::string path = absl::StrCat("/dev/loop", number);
    FileDescriptor device(open(path.c_str(), access_mode | O_CLOEXEC));
    if (!device.is_open()) {
      return SystemError(path);
    }
    loop_config config = {};
    config.fd = backing_file.get();
    config.info.lo_flags =
        LO_FLAGS_AUTOCLEAR | (mode == MountMode::kReadOnly ? LO_FLAGS_READ_ONLY : 0);
    if (ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
      return LoopDevice{std::move(device), number};
    }
    if (errno != EBUSY) {
      return SystemError("LOOP_CONFIGURE of ", path);
    }
  }
  return absl::UnavailableError(absl::StrCat(image, ": no free loop device"));
}

// True while loop device `number` is bound to `image`.
bool IsBound(int number, const std::string& image) {
  std::ifstream backing_file(absl::StrCat("/sys/block/loop", number, "/loop/backing_file"));
  std::string line;
  return std::getline(backing_file, line) && line == image;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoopMount>> LoopMount::Make(const std::string& image,
                                                           const std::string& mount_point,
                                                           const std::string& type, MountMode mode,
                                                           const std::string& options) {
  IOMAP_ASSIGN_OR_RETURN(const LoopDevice loop, BindLoopDevice(image, mode));
  const std::string device_path = absl::StrCat("/dev/loop", loop.number);
  const unsigned long flags = MS_NOATIME | (mode == MountMode::kReadOnly ? MS_RDONLY : 0);
  if (mount(device_path.c_str(), mount_point.c_str(), type.c_str(), flags, options.c_str()) != 0) {
    return SystemError("mount ", image, " as ", type);
  }
  return std::unique_ptr<LoopMount>(new LoopMount(image, loop.number, mount_point));
}

LoopMount::LoopMount(std::string image, int loop_number, std::string mount_point)
    : image_(std::move(image)), loop_number_(loop_number), mount_point_(std::move(mount_point)) {}

LoopMount::~LoopMount() {
  if (mounted_) {
    Unmount().IgnoreError();
  }
}

absl::Status LoopMount::Unmount() {
  if (umount2(mount_point_.c_str(), 0) != 0) {
    return SystemError("umount ", mount_point_);
  }
  mounted_ = false;
  // The kernel may hold the device for a moment after the unmount.
  const auto deadline = steady_clock::now() + kLongestWait;
  while (IsBound(loop_number_, image_)) {
    if (steady_clock::now() > deadline) {
      return absl::UnavailableError(absl::StrCat(image_, ": the loop device does not let it go"));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return absl::OkStatus();
}

}  // namespace iomap::tests
