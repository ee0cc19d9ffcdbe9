#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/journal.h"

namespace iomap::ext4 {

// One record of the fast-commit area; its value is of a length that its tag may have.
struct FastCommitRecord {
  uint16_t tag = 0;                        // kFastCommit...
  absl::Span<const std::byte> value = {};  // lies in the journal
};

// Reads the fast commits that follow upon the last whole transaction of the log, which
// `next_sequence` would follow upon too: all records up to the tail of the last whole fast commit,
// without heads, tails and padding. None when the area is of an older transaction. As in Linux, the
// area ends at the first record or checksum that is wrong, but not before a fast commit was whole:
// then DataLoss, with the journal's block. Unimplemented for features that are not known.
absl::StatusOr<std::vector<FastCommitRecord>> ScanFastCommits(const Journal& journal,
                                                              uint32_t next_sequence,
                                                              uint32_t inode_size);

}  // namespace iomap::ext4
