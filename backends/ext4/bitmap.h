#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace iomap::ext4 {

// Bits of a bitmap as it lies on the medium: bit i is bit i % 8, from the lowest, of byte i / 8.
// Searches look at 64 bits at a time. [begin, end) lies inside the bitmap.

// The first bit of [begin, end) that is clear, or set; `end` when there is none.
uint64_t FirstClearBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end);
uint64_t FirstSetBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end);

// A run of clear bits.
struct ClearRun {
  uint64_t begin = 0;
  uint64_t length = 0;
};

// The first run in [begin, end) of at least `wanted` bits, cut to that; when there is none, the
// longest one (of several, the first); of length 0 when no bit is clear.
ClearRun FindClearRun(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end,
                      uint64_t wanted);

}  // namespace iomap::ext4
