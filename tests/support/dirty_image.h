#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace iomap::tests {

// How a mounted file system is stopped as by a power cut. The numbers are the kernel's, the same
// for ext4 and XFS.
enum class Shutdown : uint32_t {
  kFreeze = 0,    // all that is in memory reaches the medium or the log first
  kFlushLog = 1,  // the log is written as far as it goes, and nothing else
  kNoFlush = 2,   // what had been synced before is in the log, and nothing else
};

// When the image is taken from the mounted file system.
enum class Taken { kAfterShutdown, kWhileMounted };

// Stops the file system mounted at `mount_path`. Nothing can be done with it afterwards but to
// unmount it, which leaves its journal or log as it is.
absl::Status ShutDown(const std::string& mount_path, Shutdown how);

// Copies an image; what is a hole in one is a hole in the other.
absl::Status CopyImage(const std::string& from, const std::string& to);

// An image whose journal, or log, is to be left with changes that are not in place.
struct DirtyImage {
  std::string type;  // the kernel's word for mount(2): "ext4" or "xfs"
  std::string image_path;
  std::string mount_path;  // an existing directory
  std::string mount_options = {};
  Taken taken = Taken::kAfterShutdown;
  Shutdown shutdown = Shutdown::kFlushLog;
  // Changes the mounted file system; what it opened is closed when it returns, unless it is kept
  // open on purpose (an unlinked file) until `release`, which runs after the shutdown.
  std::function<absl::Status(const std::string& mount_path)> load;
  std::function<void()> release = [] {};
};

// Mounts the image, runs the load, shuts the file system down, unmounts; or, kWhileMounted,
// replaces the image by a copy that is made after an fsync(2), while the file system goes on. Needs
// root.
absl::Status MakeDirty(const DirtyImage& dirty);

// Lets the kernel recover the image: mounts it for writing, and unmounts it. Needs root.
// Unavailable, with errno's words, when the kernel refuses to.
absl::Status ReplayByKernel(const std::string& type, const std::string& image_path,
                            const std::string& mount_path);

}  // namespace iomap::tests
