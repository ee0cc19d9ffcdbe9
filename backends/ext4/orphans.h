#pragma once

#include "absl/status/statusor.h"
#include "backends/ext4/volume.h"
#include "backends/replay_action.h"

namespace iomap::ext4 {

// Deals with the inodes that were being deleted or truncated when the file system stopped, as Linux
// does when it mounts it for writing: those of the list that begins in the superblock, and those of
// the orphan file. One that still has links is cut to its size: blocks behind it are taken away,
// and what its last block has behind the end of file becomes zeros. One without links is gone for a
// reader already. Tells `on_replay` (which may be null) of each; returns whether there was one.
// Bitmaps, and the list itself, stay as they are.
//
// DataLoss when the orphan file is damaged. A file that is to be cut and is damaged stays as it is.
// As in Linux, the list ends at an inode that cannot be one of it, and a file system that is marked
// as having errors keeps its orphans.
absl::StatusOr<bool> ProcessOrphans(Volume& volume, const backends::ReplayObserver& on_replay);

}  // namespace iomap::ext4
