#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace iomap::ext4 {

// The first bit of [begin, end), which lies inside the bitmap, that is clear; `end` when there is
// none. Bits are numbered as on the medium: bit i is bit i % 8, from the lowest, of byte i / 8.
// Looks at 64 bits at a time.
uint64_t FirstClearBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end);

}  // namespace iomap::ext4
