#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "iomap/mapping.h"

namespace iomap::tests {

// What a referee or a backend says of one file: its allocated ranges, in order of the file, and
// nothing of its holes. Inline data has no address here, whatever the referee prints.
using ExtentList = std::vector<Mapping>;

// Which facts two lists must agree in.
enum class Shared { kCompare, kIgnore };

// The list in the one form that two equal files have: no holes, no address of inline data, in
// order, and ranges that touch in the file and on the device, and agree otherwise, made one. Equal
// lists in this form are equal block by block.
ExtentList Canonical(ExtentList extents, Shared shared);

// OK when both are equal in canonical form. Otherwise Internal, with the first difference;
// `referee` names who said `expected`.
absl::Status SameExtents(absl::string_view referee, const ExtentList& expected,
                         const ExtentList& actual, Shared shared);

}  // namespace iomap::tests
