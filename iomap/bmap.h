#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "iomap/file.h"

namespace iomap {

// Linux's FIBMAP: the number of the file-system block that holds block `file_block` of the file,
// counted in `block_size` bytes from the start of the main device, or 0 for a hole, an unwritten
// range and past what is allocated. FailedPrecondition when there is no such number: inline data,
// or another device than the main one (a realtime file). OutOfRange when the file block passes the
// largest file offset.
absl::StatusOr<uint64_t> Bmap(File& file, uint64_t file_block, uint32_t block_size);

}  // namespace iomap
