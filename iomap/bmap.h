#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "iomap/file.h"

namespace iomap {

// Linux's FIBMAP: the number of the file-system block that holds block `file_block` of the file,
// counted in `block_size` bytes from the start of the main device, or 0 for a hole, an unwritten
// range, inline data and past what is allocated. FailedPrecondition when the number would be one of
// another device than the main one (a realtime file). OutOfRange when the file block passes the
// largest file offset. (Linux also answers 0 for any block of a reflinked XFS file, to keep swap
// files off shared blocks; here the block that holds the bytes is the answer.)
absl::StatusOr<uint64_t> Bmap(File& file, uint64_t file_block, uint32_t block_size);

}  // namespace iomap
