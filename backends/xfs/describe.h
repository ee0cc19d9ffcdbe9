#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backends/xfs/volume.h"
#include "iomap/filesystem.h"

namespace iomap::xfs {

// What `iomap info` says: the superblock in the words of mkfs.xfs and xfs_info. `journal` is
// SettleJournal's; after a replay the counters are those of the groups. DataLoss when those cannot
// be read.
absl::StatusOr<FilesystemInfo> DescribeFilesystem(const Volume& volume, JournalState journal);

}  // namespace iomap::xfs
