#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "backends/ext4/volume.h"
#include "iomap/filesystem.h"

namespace iomap::ext4 {

// Finds the state of the journal: dirty when the superblock's needs_recovery is set and the
// journal's own superblock names a first transaction, or the journal lies on another device and so
// cannot be asked. DataLoss when needs_recovery is set and the journal cannot be read.
absl::StatusOr<JournalState> ReadJournalState(const Volume& volume);

}  // namespace iomap::ext4
