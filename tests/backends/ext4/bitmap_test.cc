#include "backends/ext4/bitmap.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace iomap::ext4 {
namespace {

bool IsSet(absl::Span<const std::byte> bitmap, uint64_t bit) {
  return (static_cast<unsigned>(bitmap[bit / 8]) >> (bit % 8) & 1) != 0;
}

ClearRun RunBitByBit(absl::Span<const std::byte> bitmap, uint64_t begin, uint64_t end,
                     uint64_t wanted) {
  ClearRun longest{begin, 0};
  uint64_t length = 0;
  for (uint64_t bit = begin; bit < end && longest.length < wanted; ++bit) {
    length = IsSet(bitmap, bit) ? 0 : length + 1;
    if (length > longest.length) {
      longest = ClearRun{bit + 1 - length, length};
    }
  }
  return longest;
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
    uint64_t set = begin;
    while (set < end && !IsSet(bitmap, set)) {
      ++set;
    }
    ASSERT_EQ(FirstClearBit(bitmap, begin, end), clear);
    ASSERT_EQ(FirstSetBit(bitmap, begin, end), set);
    const uint64_t wanted = 1 + random() % 70;
    const ClearRun run = FindClearRun(bitmap, begin, end, wanted);
    const ClearRun expected = RunBitByBit(bitmap, begin, end, wanted);
    ASSERT_EQ(run.length, expected.length);
    if (run.length > 0) {
      ASSERT_EQ(run.begin, expected.begin);
    }
  }
}

}  // namespace
}  // namespace iomap::ext4
