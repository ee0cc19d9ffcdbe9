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

}  // namespace

uint64_t FirstClearBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end) {
  IOMAP_CHECK(end <= 8 * uint64_t{bitmap.size()});
  uint64_t keep = ~uint64_t{0} << (begin % kWordBits);
  for (uint64_t word = begin / kWordBits; word * kWordBits < end; ++word) {
    if (const uint64_t clear = ~WordAt(bitmap, word) & keep; clear != 0) {
      return std::min<uint64_t>(end, word * kWordBits + std::countr_zero(clear));
    }
    keep = ~uint64_t{0};
  }
  return end;
}

}  // namespace iomap::ext4
