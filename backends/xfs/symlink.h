#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backends/xfs/block_map.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// The target of the symbolic link `inode`: inline, or in blocks that, in version 5, carry headers.
// DataLoss when it is empty, longer than 1024 bytes, has a zero byte, or is damaged.
absl::StatusOr<std::string> ReadSymlink(const Volume& volume, const Inode& inode,
                                        const BlockMap& block_map);

}  // namespace iomap::xfs
