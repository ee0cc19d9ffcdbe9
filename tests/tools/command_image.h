#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tests/support/command.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {

// Runs the command `iomap` that was just built.
absl::StatusOr<CommandResult> RunIomap(const Arguments& arguments);

// Runs a line of bash in which $IOMAP is that command: where redirections matter.
absl::StatusOr<CommandResult> RunBash(const std::string& line);

// An ext4 and an XFS image that mkfs made, without root, of one tree:
//
//   /dir/        with one file, "inside"
//   /empty
//   /hello       "hello\n"
//   /link        a symbolic link to hello
//   /sparse      1 MiB of zeros, 8 KiB of data, and zeros up to 4 MiB: holes in the ext4 (mkfs.xfs
//                copies them)
//
// The ext4 has besides: /hard, a second name of hello; /bad<0xFF>, a name that is not UTF-8; /old,
// last written half a second before 1970.
class CommandImages {
 public:
  static absl::StatusOr<CommandImages> Make();

  std::string ext4() const { return directory_ / "ext4.img"; }
  std::string xfs() const { return directory_ / "xfs.img"; }
  const TemporaryDirectory& directory() const { return directory_; }

 private:
  explicit CommandImages(TemporaryDirectory directory) : directory_(std::move(directory)) {}

  TemporaryDirectory directory_;
};

}  // namespace iomap::tests
