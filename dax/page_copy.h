#pragma once

#include "absl/status/status.h"
#include "dax/file.h"
#include "iomap/byte_range.h"
#include "iomap/write_mapping.h"

namespace iomap::dax {

// Fills `range` of the target with what the file shows there before the mapping is committed: zeros
// where it is new or unwritten, the source's bytes in a copy on write, nothing in an overwrite; and
// drains, so that a commit never publishes bytes that are not there.
absl::Status FillPages(File& file, const WriteMapping& mapping, const ByteRange& range);

// The same without the drain: for who stores more.
absl::Status FillWithoutDrain(File& file, const WriteMapping& mapping, const ByteRange& range);

}  // namespace iomap::dax
