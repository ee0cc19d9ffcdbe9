#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace iomap::tests {

enum class MountMode {
  kReadWrite,
  kReadOnly,  // the loop device is read-only too: the image cannot change while it is mounted
};

// An image mounted by the kernel. Needs root (see WhyNoMount).
class LoopMount {
 public:
  // Mounts `image` on the existing directory `mount_point` with the file system's own `options`
  // ("": none).
  static absl::StatusOr<std::unique_ptr<LoopMount>> Make(const std::string& image,
                                                         const std::string& mount_point,
                                                         const std::string& type, MountMode mode,
                                                         const std::string& options);
  // Unmounts, if that has not been done; an error is lost.
  ~LoopMount();

  const std::string& path() const { return mount_point_; }

  // Unmounts, and waits until the loop device has let the image go: all that was written is in it.
  absl::Status Unmount();

 private:
  LoopMount(std::string image, int loop_number, std::string mount_point);

  const std::string image_;
  const int loop_number_;
  const std::string mount_point_;
  bool mounted_ = true;
};

}  // namespace iomap::tests
