#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dax/filesystem.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {

inline constexpr uint32_t kBenchBlockSize = 4096;  // bytes

// A file system of 4 KiB blocks with the two files that the benchmarks ask about. The image is
// mounted read-only by the kernel, the peer, and read by the project at the same time. Needs root.
class BenchImage {
 public:
  // "fragmented": as many extents as asked for, a hole before each.
  static constexpr absl::string_view kFragmented = "fragmented";
  // "contiguous": 1 GiB in as few extents as the format has it.
  static constexpr absl::string_view kContiguous = "contiguous";

  // `backend` is "ext4" or "xfs".
  static absl::StatusOr<std::unique_ptr<BenchImage>> Make(const std::string& backend, int extents);

  const std::string& backend() const { return backend_; }
  std::string path() const { return directory_ / "image"; }

  // The file system, newly opened: nothing of it has been verified.
  absl::StatusOr<std::unique_ptr<dax::Filesystem>> Open() const;

  // File `name` as the kernel has it.
  absl::StatusOr<FileDescriptor> OpenInKernel(absl::string_view name) const;

  // Unmounts and mounts again: the kernel forgets what it knows of the files. No descriptor of one
  // may be open.
  absl::Status MountAgain();

 private:
  BenchImage(std::string backend, TemporaryDirectory directory);
  absl::Status Fill(int extents) const;
  absl::Status Mount();

  const std::string backend_;
  const TemporaryDirectory directory_;
  std::unique_ptr<LoopMount> mount_;
};

// File `name` of the root directory.
absl::StatusOr<std::shared_ptr<File>> OpenByName(Filesystem& filesystem, absl::string_view name);

}  // namespace iomap::tests
