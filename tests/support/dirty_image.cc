#include "tests/support/dirty_image.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "iomap/status_macros.h"
#include "tests/support/command.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

// EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN.
constexpr unsigned long kShutdownRequest = _IOR('X', 125, uint32_t);

absl::Status WriteSyncedFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  return file.is_open() && write(file.get(), "synced", 6) == 6 && fsync(file.get()) == 0
             ? absl::OkStatus()
             : SystemError(path);
}

// The image as it lies there when everything that was asked for is on the medium or in the log.
absl::Status ReplaceByCopy(const DirtyImage& dirty, LoopMount& mount) {
  IOMAP_RETURN_IF_ERROR(WriteSyncedFile(dirty.mount_path + "/synced"));
  const std::string copy = dirty.image_path + ".copy";
  IOMAP_RETURN_IF_ERROR(CopyImage(dirty.image_path, copy));
  dirty.release();
  IOMAP_RETURN_IF_ERROR(mount.Unmount());
  return rename(copy.c_str(), dirty.image_path.c_str()) == 0 ? absl::OkStatus() : SystemError(copy);
}

}  // namespace

absl::Status ShutDown(const std::string& mount_path, Shutdown how) {
  const FileDescriptor root(open(mount_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  uint32_t flag = static_cast<uint32_t>(how);
  if (!root.is_open() || ioctl(root.get(), kShutdownRequest, &flag) != 0) {
    return SystemError("shut down ", mount_path);
  }
  return absl::OkStatus();
}

absl::Status CopyImage(const std::string& from, const std::string& to) {
  return OutputOf({"cp", "--sparse=always", from, to}).status();
}

absl::Status MakeDirty(const DirtyImage& dirty) {
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<LoopMount> mount,
                         LoopMount::Make(dirty.image_path, dirty.mount_path, dirty.type,
                                         MountMode::kReadWrite, dirty.mount_options));
  const absl::Status loaded = dirty.load(dirty.mount_path);
  if (loaded.ok() && dirty.taken == Taken::kWhileMounted) {
    return ReplaceByCopy(dirty, *mount);
  }
  const absl::Status stopped = ShutDown(dirty.mount_path, dirty.shutdown);
  dirty.release();
  IOMAP_RETURN_IF_ERROR(loaded);
  IOMAP_RETURN_IF_ERROR(stopped);
  return mount->Unmount();
}

absl::Status ReplayByKernel(const std::string& type, const std::string& image_path,
                            const std::string& mount_path) {
  IOMAP_ASSIGN_OR_RETURN(
      const std::unique_ptr<LoopMount> mount,
      LoopMount::Make(image_path, mount_path, type, MountMode::kReadWrite, /*options=*/""));
  return mount->Unmount();
}

}  // namespace iomap::tests
