#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "iomap/attributes.h"
#include "tests/support/referee.h"

namespace iomap::tests {

// Asks debugfs, in one process, for `inodes` of the ext4 image at `image_path`. Facts: "feature
// NAME", "flag NAME" (of the superblock), "hash NAME" (of the superblock), "block size N", "inode
// size N", and, when one of the inodes is so, "extent depth N", "indirect N" (1 to 3 levels),
// "inline TYPE" with the file type's name, "hashed directory", "unwritten extent", "200,000
// extents", "fast symlink", "slow symlink".
absl::StatusOr<RefereeReport> AskDebugfs(const std::string& image_path,
                                         absl::Span<const InodeNumber> inodes);

}  // namespace iomap::tests
