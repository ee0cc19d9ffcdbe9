#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dax/filesystem.h"
#include "iomap/filesystem.h"
#include "iomap/path.h"

namespace iomap::tools {

// A file inside an image, as it stands on the command line: IMAGE:PATH, where the path is all that
// follows the first ":/", or IMAGE:<INO>.
struct Target {
  std::string image;
  std::string path;                  // "/var/log/a", or "<131>"
  std::optional<InodeNumber> inode;  // set when the file is named by inode number
};

// UsageError when `argument` is neither form.
absl::StatusOr<Target> ParseTarget(absl::string_view argument);

// The inode that `target` names. `last` says what becomes of a symbolic link at the end of a path;
// an inode number is what it is. Errors: AtPath of ResolvePath's.
absl::StatusOr<InodeNumber> ResolveTarget(Filesystem& filesystem, const Target& target,
                                          LastLink last);

// The file that a target names, and what its inode says.
struct OpenedTarget {
  std::shared_ptr<dax::File> file;
  Attributes attributes;
};

// ResolveTarget, opened. Errors: AtPath of Filesystem::Open's and File::attributes'.
absl::StatusOr<OpenedTarget> OpenTarget(dax::Filesystem& filesystem, const Target& target,
                                        LastLink last);

// FailedPrecondition, with the path, when `attributes` are not those of a regular file.
absl::Status RequireRegularFile(const Target& target, const Attributes& attributes);

// `status` with "PATH: " in front of its message, unless it begins with the path already.
absl::Status AtPath(absl::string_view path, const absl::Status& status);

}  // namespace iomap::tools
