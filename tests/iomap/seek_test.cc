#include "iomap/seek.h"

#include "gtest/gtest.h"
#include "tests/iomap/listed_file.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap {
namespace {

using tests::DelallocIn;
using tests::InlineIn;
using tests::ListedFile;
using tests::MappedAt;
using tests::StatusIs;
using tests::UnwrittenAt;

constexpr absl::StatusCode kOutOfRange = absl::StatusCode::kOutOfRange;

// hole, data, unwritten, data, hole: 4096 bytes each.
ListedFile FiveRanges() {
  return ListedFile(20480, {MappedAt(40960, {4096, 4096}), UnwrittenAt(45056, {8192, 4096}),
                            MappedAt(49152, {12288, 4096})});
}

TEST(SeekData, SkipsHolesAndUnwrittenRanges) {
  ListedFile file = FiveRanges();
  EXPECT_EQ(SeekData(file, 0).value(), 4096u);
  EXPECT_EQ(SeekData(file, 8192).value(), 12288u);
}

TEST(SeekData, StaysWhereDataIs) {
  ListedFile file = FiveRanges();
  EXPECT_EQ(SeekData(file, 5000).value(), 5000u);
  EXPECT_EQ(SeekData(file, 16383).value(), 16383u);
}

TEST(SeekData, IsOutOfRangeWhenOnlyHolesFollow) {
  ListedFile file = FiveRanges();
  EXPECT_THAT(SeekData(file, 16384), StatusIs(kOutOfRange));
}

TEST(SeekData, DoesNotFindDataPastTheEndOfFile) {
  ListedFile file(4096, {MappedAt(40960, {8192, 4096})});
  EXPECT_THAT(SeekData(file, 0), StatusIs(kOutOfRange));
}

TEST(SeekData, CountsInlineAndReservedBytesAsData) {
  ListedFile inline_file(60, {InlineIn({0, 60})});
  EXPECT_EQ(SeekData(inline_file, 7).value(), 7u);
  ListedFile delayed(8192, {DelallocIn({4096, 4096})});
  EXPECT_EQ(SeekData(delayed, 0).value(), 4096u);
}

TEST(SeekHole, FindsHolesAndUnwrittenRanges) {
  ListedFile file = FiveRanges();
  EXPECT_EQ(SeekHole(file, 0).value(), 0u);
  EXPECT_EQ(SeekHole(file, 4096).value(), 8192u);
  EXPECT_EQ(SeekHole(file, 9000).value(), 9000u);
  EXPECT_EQ(SeekHole(file, 12288).value(), 16384u);
}

TEST(SeekHole, IsTheEndOfFileWhenNoHoleFollows) {
  ListedFile file(5000, {MappedAt(40960, {0, 8192})});
  EXPECT_EQ(SeekHole(file, 0).value(), 5000u);
  EXPECT_EQ(SeekHole(file, 4999).value(), 5000u);
}

TEST(Seek, IsOutOfRangeAtAndPastTheEndOfFile) {
  ListedFile file = FiveRanges();
  for (const uint64_t offset : {uint64_t{20480}, uint64_t{20481}, ~uint64_t{0}}) {
    EXPECT_THAT(SeekData(file, offset), StatusIs(kOutOfRange));
    EXPECT_THAT(SeekHole(file, offset), StatusIs(kOutOfRange));
  }
  ListedFile empty(0, {});
  EXPECT_THAT(SeekData(empty, 0), StatusIs(kOutOfRange));
  EXPECT_THAT(SeekHole(empty, 0), StatusIs(kOutOfRange));
}

TEST(Seek, SeesTheLastByteOfTheLargestFile) {
  ListedFile file(ByteRange::kMaxOffset, {MappedAt(0, {ByteRange::kMaxOffset - 1, 1})});
  EXPECT_EQ(SeekData(file, 0).value(), ByteRange::kMaxOffset - 1);
  EXPECT_EQ(SeekHole(file, ByteRange::kMaxOffset - 1).value(), ByteRange::kMaxOffset);
}

}  // namespace
}  // namespace iomap
