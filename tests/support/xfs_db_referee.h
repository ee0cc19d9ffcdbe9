#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "iomap/attributes.h"
#include "tests/support/referee.h"

namespace iomap::tests {

// Asks xfs_db, in one process, for `inodes`, which are all the inodes of the XFS image at
// `image_path`: a block that two of their extents hold is shared. Facts: "version NAME" for each
// word of its version command, "block size N", "sector size N", "directory block size N", "inode
// size N", and, when one of the inodes is so, "TYPE FORK" with the file type's name and local,
// extents or btree; "directory FORM" with form short, block, leaf or node; "unwritten extent",
// "200,000 extents", "shared extent", "realtime file", "large counters" (nrext64 of the inode).
absl::StatusOr<RefereeReport> AskXfsDb(const std::string& image_path,
                                       absl::Span<const InodeNumber> inodes);

}  // namespace iomap::tests
