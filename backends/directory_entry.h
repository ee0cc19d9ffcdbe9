#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "iomap/attributes.h"

namespace iomap::backends {

// What directory entries have in common in ext4 and in XFS.

// True for what an entry may be called: not empty, no slash, no zero byte.
bool IsEntryName(absl::string_view name);

// True for "." and "..", the entries that a directory has of itself and of its parent.
bool IsDotOrDotDot(absl::string_view name);

// The type that an entry says its file is of; kUnknown for 0 and for numbers that mean nothing.
FileType TypeOfEntry(uint8_t stored);

}  // namespace iomap::backends
