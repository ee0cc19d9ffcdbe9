#pragma once

#include <string>

#include "backends/xfs/volume.h"
#include "iomap/filesystem.h"

namespace iomap::xfs {

// What `iomap info` says: the superblock in the words of mkfs.xfs and xfs_info. `journal` is
// SettleJournal's.
FilesystemInfo DescribeFilesystem(const Volume& volume, JournalState journal);

}  // namespace iomap::xfs
