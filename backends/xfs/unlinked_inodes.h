#pragma once

#include "absl/functional/function_ref.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// Calls `visit` for the inodes that have no name any more and were not freed when the machine
// stopped: those in the lists of the allocation groups' AGIs. A list ends where it is damaged, as
// for Linux; each inode is met once.
void ForEachUnlinkedInode(const Volume& volume, absl::FunctionRef<void(const Inode&)> visit);

}  // namespace iomap::xfs
