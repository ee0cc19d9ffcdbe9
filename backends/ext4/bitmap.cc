#include "backends/ext4/bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "iomap/check.h"

namespace iomap::ext4 {
namespace {

constexpr uint64_t kWordBits = 64;

// Bits [64 * word, 64 * word + 64); what the bitmap does not have is clear.
uint64_t WordAt(absl::Span<const std::byte> bitmap, uint64_t word) {
  static_assert(std::endian::native == std::endian::little);
  const size_t offset = word * sizeof(uint64_t);
  uint64_t bits = 0;
  std::memcpy(&bits, bitmap.data() + offset, std::min(sizeof bits, bitmap.size() - offset));
  return bits;
}

// The first bit that is set after an exclusive-or with `flip`.
uint64_t FirstBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end, uint64_t flip) {
  IOMAP_CHECK(end <= 8 * uint64_t{bitmap.size()});
  uint64_t keep = ~uint64_t{0} << (begin % kWordBits);
  for (uint64_t word = begin / kWordBits; word * kWordBits < end; ++word) {
    if (const uint64_t bits = (WordAt(bitmap, word) ^ flip) & keep; bits != 0) {
      return std::min<uint64_t>(end, word * kWordBits + std::countr_zero(bits));
    }
    keep = ~uint64_t{0};
  }
  return end;
}

}  // namespace

uint64_t FirstClearBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end) {
  return FirstBit(bitmap, begin, end, ~uint64_t{0});
}

uint64_t FirstSetBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end) {
  return FirstBit(bitmap, begin, end, 0);
}

ClearRun FindClearRun(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end,
                      uint64_t wanted) {
  ClearRun longest{begin, 0};
  while (begin < end) {
    const uint64_t first = FirstClearBit(bitmap, begin, end);
    const uint64_t next = FirstSetBit(bitmap, first, std::min(end, first + wanted));
    if (next - first > longest.length) {
      longest = ClearRun{first, next - first};
    }
    if (longest.length >= wanted) {
      break;
    }
    begin = next;
  }
  return longest;
}

}  // namespace iomap::ext4
