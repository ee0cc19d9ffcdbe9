#include "backends/ext4/bitmap.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace iomap::ext4 {
namespace {

bool IsSet(absl::Span<const std::byte> bitmap, uint64_t bit) {
  return (static_cast<unsigned>(bitmap[bit / 8]) >> (bit % 8) & 1) != 0;
}

TEST(Ext4Bitmap, FindsWhatIsFoundBitByBit) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> bitmap(1 + random() % 40);
    // Long runs, of both kinds.
    const unsigned kind = random() % 3;
    for (std::byte& byte : bitmap) {
      byte = static_cast<std::byte>(kind == 0   ? random()
                                    : kind == 1 ? (random() % 8 == 0 ? random() : 0)
                                                : (random() % 8 == 0 ? random() : 0xFF));
    }
    const uint64_t bits = 8 * bitmap.size();
    const uint64_t begin = random() % (bits + 1);
    const uint64_t end = begin + random() % (bits - begin + 1);
    uint64_t clear = begin;
    while (clear < end && IsSet(bitmap, clear)) {
      ++clear;
    }
    ASSERT_EQ(FirstClearBit(bitmap, begin, end), clear);
  }
}

}  // namespace
}  // namespace iomap::ext4
