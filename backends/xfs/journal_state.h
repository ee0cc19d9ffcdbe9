#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// Whether the medium is all that there is, in a phrase for FilesystemInfo::journal: "clean",
// "dirty, not replayed", "external, not looked at". With kRefuse only the first is OK; the others
// are Unimplemented, with a message that names --no-replay. With kIgnore a log that is damaged is a
// phrase as well.
absl::StatusOr<std::string> CheckJournal(const Volume& volume,
                                         backends::DirtyJournal dirty_journal);

}  // namespace iomap::xfs
