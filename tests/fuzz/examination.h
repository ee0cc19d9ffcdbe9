#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace iomap::tests {

// Opens the image that `input` tells - a line of text (fuzz_input.h), or else the bytes of an image
// - with its journal replayed, and asks everything there is to ask. What is wrong with the answers,
// one line each: errors that are no good errors, and more than two seconds of processor time.
std::vector<std::string> Examine(absl::Span<const std::byte> input);

}  // namespace iomap::tests
