#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace iomap::xfs {

// How a directory spells names.
enum class NameCase { kExact, kIgnored };

// The hash that a directory's index is sorted by. With kIgnored (ascii-ci) it is another function,
// of the name in lower case.
uint32_t HashName(absl::string_view name, NameCase name_case);

// True when the names are equal, case aside: letters of ASCII and, as Linux has fixed it, of
// Latin-1.
bool EqualIgnoringCase(absl::string_view a, absl::string_view b);

}  // namespace iomap::xfs
