#include "tests/support/temporary_directory.h"

#include <sys/statvfs.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kRoomForImages = uint64_t{4} << 30;  // bytes

bool HasRoom(const char* folder) {
  struct statvfs space = {};
  return statvfs(folder, &space) == 0 &&
         uint64_t{space.f_bavail} * space.f_frsize >= kRoomForImages;
}

}  // namespace

absl::StatusOr<TemporaryDirectory> TemporaryDirectory::Make() {
  std::string path = std::string(HasRoom("/dev/shm") ? "/dev/shm" : "/tmp") + "/iomap-test.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return SystemError(path);
  }
  return TemporaryDirectory(std::move(path));
}

TemporaryDirectory::TemporaryDirectory(std::string path) : path_(std::move(path)) {}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
}

}  // namespace iomap::tests
