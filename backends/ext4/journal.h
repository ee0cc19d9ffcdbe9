#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// What the journal means to a reader.
enum class JournalState {
  kNone,   // the file system has no journal
  kClean,  // nothing is to be replayed
  kDirty,  // committed changes are not in place yet
};

// Finds the state of the journal: dirty when the superblock's needs_recovery is set and the
// journal's own superblock names a first transaction, or the journal lies on another device and so
// cannot be asked. DataLoss when needs_recovery is set and the journal cannot be read.
absl::StatusOr<JournalState> ReadJournalState(const Volume& volume);

}  // namespace iomap::ext4
