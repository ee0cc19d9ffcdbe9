#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "iomap/byte_range.h"
#include "iomap/file.h"
#include "iomap/mapping.h"

namespace iomap {

// One extent of a report: a mapping, with neighbours that touch in the file and on the device and
// agree in type, device and flags made one, and what the core adds to it.
struct FiemapExtent {
  Mapping mapping;
  // No extent with space, or inline data, follows it in the file (FIEMAP_EXTENT_LAST).
  bool last = false;
};

// Whether a report shows holes.
enum class Holes { kSkip, kReport };

// Linux's FIEMAP: calls `extent` for the extents that overlap `range`, in order, until it returns
// false. Extents that reach over the range's ends are reported whole; holes, when asked for, are
// cut to the range. Past the end of file, whatever is allocated is reported too. Concurrency and
// errors: ForEachMapping.
absl::Status Fiemap(File& file, const ByteRange& range, Holes holes,
                    absl::FunctionRef<bool(const FiemapExtent&)> extent);

}  // namespace iomap
