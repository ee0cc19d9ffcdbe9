#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "backends/ext4/inode_record.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// Takes the blocks from file block `first_block` on from an inode of block pointers: sets pointers
// to 0 in `record`, which is the caller's to write, and in pointer blocks on the device. Returns
// how many blocks that sets free, pointer blocks included. DataLoss when a pointer block lies
// outside the volume or is reached twice.
absl::StatusOr<uint64_t> TruncatePointers(Volume& volume, InodeRecord& record,
                                          uint64_t first_block);

}  // namespace iomap::ext4
