#pragma once

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "backends/xfs/volume.h"
#include "iomap/filesystem.h"

namespace iomap::xfs {

// Whether the medium is all that there is. With kReplay only a clean log is OK; others are
// Unimplemented or DataLoss, with a message that names --no-replay.
absl::StatusOr<JournalState> CheckJournal(const Volume& volume,
                                          backends::DirtyJournal dirty_journal);

}  // namespace iomap::xfs
