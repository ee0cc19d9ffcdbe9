#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "iomap/filesystem.h"

namespace iomap {

// What to do with a path whose last name is a symbolic link: go where it points, or name the link.
enum class LastLink { kFollow, kKeep };

// The inode that `path` names, from the root of `filesystem` whether or not it begins with a slash,
// as path_resolution(7) says: symbolic links on the way are followed within the file system, the
// last one as `last` says. NotFound with the part that is missing; FailedPrecondition for a
// non-directory on the way, a name above 255 bytes, or more than 40 links; DataLoss, among other
// damage, when an entry names an inode that is not in use.
absl::StatusOr<InodeNumber> ResolvePath(Filesystem& filesystem, absl::string_view path,
                                        LastLink last);

// One file of a walk over the whole tree.
struct TreeEntry {
  absl::string_view path;  // "/a/b"; valid during the call
  InodeNumber inode = 0;
  FileType type = FileType::kUnknown;
};

// Calls `entry` for everything below the root, a directory before what it holds, so that the paths
// of what is not a directory come in byte order. The type is kUnknown where neither the directory
// nor the inode tells it. A directory that cannot be read is given to `failed` with its path, and
// the walk goes on; a second name of a directory is DataLoss there. Stops when either returns
// false.
absl::Status WalkTree(Filesystem& filesystem, absl::FunctionRef<bool(const TreeEntry&)> entry,
                      absl::FunctionRef<bool(absl::string_view path, const absl::Status&)> failed);

}  // namespace iomap
