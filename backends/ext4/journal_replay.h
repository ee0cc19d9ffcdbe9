#pragma once

#include "absl/status/status.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/journal_log.h"
#include "backends/ext4/volume.h"
#include "backends/replay_action.h"

namespace iomap::ext4 {

// The second and third pass over a log: puts the copies of `log` in place, in order, but for those
// that are revoked by their own transaction or a later one, and tells `on_replay` (which may be
// null) of each. Everything is checked before the first byte is written: DataLoss, with the
// journal's block, for a copy with a wrong checksum or for a place outside the device or in the
// journal itself; then nothing was changed. Does not touch the journal. What `volume` has parsed is
// old afterwards: see Volume::Reload.
absl::Status ReplayLog(Volume& volume, const Journal& journal, const JournalLog& log,
                       const backends::ReplayObserver& on_replay);

}  // namespace iomap::ext4
