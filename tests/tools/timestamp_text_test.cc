#include "tools/timestamp_text.h"

#include <limits>

#include "gtest/gtest.h"

namespace iomap::tools {
namespace {

TEST(SecondsText, HasNineDecimals) {
  EXPECT_EQ(SecondsText({1700000000, 1}), "1700000000.000000001");
  EXPECT_EQ(SecondsText({0, 0}), "0.000000000");
}

TEST(SecondsText, CountsNanosecondsUpwardBefore1970) {
  EXPECT_EQ(SecondsText({-1, 0}), "-1.000000000");
  EXPECT_EQ(SecondsText({-1, 500000000}), "-0.500000000");
  EXPECT_EQ(SecondsText({-2, 1}), "-1.999999999");
  EXPECT_EQ(SecondsText({std::numeric_limits<int64_t>::min(), 1}),
            "-9223372036854775807.999999999");
}

TEST(DateText, IsInUtc) {
  EXPECT_EQ(DateText({1700000000, 1}), "2023-11-14 22:13:20.000000001 +0000");
  EXPECT_EQ(DateText({-1, 500000000}), "1969-12-31 23:59:59.500000000 +0000");
  EXPECT_EQ(DateText({16299260425, 0}), "2486-07-02 20:20:25.000000000 +0000");
}

TEST(DateText, FallsBackToSecondsForAYearThatHasNoName) {
  EXPECT_EQ(DateText({std::numeric_limits<int64_t>::max(), 0}), "9223372036854775807.000000000");
}

}  // namespace
}  // namespace iomap::tools
