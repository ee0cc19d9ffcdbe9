#pragma once

#include "absl/status/statusor.h"
#include "backends/ext4/volume.h"
#include "backends/replay_action.h"
#include "iomap/filesystem.h"

namespace iomap::ext4 {

// Finds the state of the journal: dirty when the superblock's needs_recovery is set and the
// journal's own superblock names a first transaction; external when needs_recovery is set and the
// journal lies on another device. DataLoss when needs_recovery is set and the journal cannot be
// read.
absl::StatusOr<JournalState> ReadJournalState(const Volume& volume);

// Does what Linux does when it mounts the volume for writing, so that a reader sees what it would
// see there: puts the transactions of a dirty journal in place, then its fast commits, then deals
// with the orphans, and parses the superblock again. All of it by Device::Write; the journal itself
// stays as it is. Tells `on_replay` (which may be null) of each action. kReplayed when there was
// one; otherwise the state that ReadJournalState finds, with kDirty, when no transaction is whole,
// become kClean.
//
// Not while another thread uses the volume. DataLoss, with place and value, when the journal is
// damaged, Unimplemented for features that are not known and for an external journal; the volume is
// not to be used after an error.
absl::StatusOr<JournalState> RecoverJournal(Volume& volume,
                                            const backends::ReplayObserver& on_replay);

}  // namespace iomap::ext4
