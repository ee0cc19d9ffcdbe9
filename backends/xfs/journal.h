#pragma once

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "backends/xfs/log_intents.h"
#include "backends/xfs/volume.h"
#include "iomap/filesystem.h"

namespace iomap::xfs {

// What became of the log when the file system was opened.
struct Journal {
  JournalState state = JournalState::kNone;
  UnfinishedChanges unfinished;  // of a log that was replayed
};

// Makes the main device hold all that there is: replays a dirty log into it, unless that is to be
// ignored. With kReplay, a log that cannot be replayed is DataLoss or Unimplemented (a log on a
// device of its own, items or a byte order that are not known), with a message that names
// --no-replay.
absl::StatusOr<Journal> SettleJournal(Volume& volume, const backends::OpenOptions& options);

}  // namespace iomap::xfs
