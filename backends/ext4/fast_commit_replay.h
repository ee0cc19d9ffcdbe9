#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/ext4/fast_commit_log.h"
#include "backends/ext4/volume.h"
#include "backends/replay_action.h"

namespace iomap::ext4 {

// Does again what the records of fast commits say, in order: inodes, ranges of files, names. What a
// reader sees of files afterwards is what it sees after Linux has replayed them. Of directories it
// sees the same names, but Linux sets their times to the moment of the replay, and here they stay;
// and a block that a directory needs is found by another allocator, and once a hashed leaf was full
// in another order, so that its own blocks and size may differ. Bitmaps and free counts stay as
// they are. Tells `on_replay` (which may be null) of each
// record, with `sequence`.
//
// As in Linux, a record of an inode that is not in use is passed over, but for a name to be
// created. DataLoss, with the inode, for damage; Unimplemented for files without extents and
// directories inside their inode.
absl::Status ReplayFastCommits(Volume& volume, absl::Span<const FastCommitRecord> records,
                               uint32_t sequence, const backends::ReplayObserver& on_replay);

}  // namespace iomap::ext4
