#include "iomap/byte_range.h"

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap {
namespace {

using tests::IsOk;
using tests::StatusIs;

TEST(ByteRange, RefusesARangeThatPassesTheLargestOffset) {
  EXPECT_THAT(ByteRange::Make(ByteRange::kMaxOffset, 1), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ByteRange::Make(1, ByteRange::kMaxOffset), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ByteRange::Make(~uint64_t{0}, ~uint64_t{0}), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ByteRange::Make(1, ByteRange::kMaxOffset - 1), IsOk());
}

TEST(ByteRange, IntersectionOfDisjointRangesIsEmpty) {
  const ByteRange cut = ByteRange{0, 10}.Intersect(ByteRange{10, 5});
  EXPECT_TRUE(cut.empty());
  EXPECT_EQ(cut.offset, 10u);
}

TEST(ByteRange, IntersectionKeepsTheCommonBytes) {
  EXPECT_EQ((ByteRange{4, 10}).Intersect(ByteRange{0, 8}), (ByteRange{4, 4}));
}

TEST(ByteRange, AlignsOutwardAndStopsAtTheLargestOffset) {
  EXPECT_EQ((ByteRange{5000, 1}).AlignOutward(4096), (ByteRange{4096, 4096}));
  EXPECT_EQ(ByteRange::All().AlignOutward(4096), ByteRange::All());
}

TEST(ByteRange, ContainsIsHalfOpen) {
  EXPECT_TRUE((ByteRange{4, 4}).Contains(uint64_t{7}));
  EXPECT_FALSE((ByteRange{4, 4}).Contains(uint64_t{8}));
}

}  // namespace
}  // namespace iomap
