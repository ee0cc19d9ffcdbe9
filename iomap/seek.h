#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "iomap/file.h"

namespace iomap {

// lseek(2) with SEEK_DATA: the first offset at or after `offset`, below the end of file, that is
// not in a hole or an unwritten range. OutOfRange where Linux says ENXIO: `offset` is at or past
// the end of file, or only holes follow. Bytes. (Linux also counts unwritten pages that are dirty
// in its page cache as data; an image that is not mounted has none.)
absl::StatusOr<uint64_t> SeekData(File& file, uint64_t offset);

// SEEK_HOLE: the first offset at or after `offset` that is in a hole or an unwritten range, or the
// end of file. OutOfRange when `offset` is at or past the end of file.
absl::StatusOr<uint64_t> SeekHole(File& file, uint64_t offset);

}  // namespace iomap
