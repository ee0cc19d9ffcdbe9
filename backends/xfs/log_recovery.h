#pragma once

#include "absl/status/statusor.h"
#include "backends/replay_action.h"
#include "backends/xfs/log.h"
#include "backends/xfs/log_intents.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// Replays the transactions of `log` between the ends of `state` into volume.main_device() (see
// dax::Device::Write), and parses the superblock of the volume anew, which may be among what is
// replayed. Returns what the transactions leave unfinished and a reader would see: a mount would
// finish it, and free the inodes that have no name. `observer` is told of each action. DataLoss for
// a log or an item that is damaged, Unimplemented, by name, for an item or a byte order that is not
// known; some of the log may be in place then.
absl::StatusOr<UnfinishedChanges> RecoverLog(const Log& log, const Log::State& state,
                                             Volume& volume,
                                             const backends::ReplayObserver& observer);

}  // namespace iomap::xfs
