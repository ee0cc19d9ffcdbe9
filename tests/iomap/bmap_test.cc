#include "iomap/bmap.h"

#include "gtest/gtest.h"
#include "tests/iomap/listed_file.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap {
namespace {

using tests::InlineIn;
using tests::ListedFile;
using tests::MappedAt;
using tests::StatusIs;
using tests::UnwrittenAt;

TEST(Bmap, CountsInFileSystemBlocks) {
  ListedFile file(1 << 20, {MappedAt(40960, {0, 4096}), MappedAt(81920, {4096, 8192})});
  EXPECT_EQ(Bmap(file, 0, 4096).value(), 10u);
  EXPECT_EQ(Bmap(file, 2, 4096).value(), 21u);
  EXPECT_EQ(Bmap(file, 5, 1024).value(), 81u);
}

TEST(Bmap, IsZeroForHolesUnwrittenRangesAndPastWhatIsAllocated) {
  ListedFile file(1 << 20, {UnwrittenAt(40960, {4096, 4096})});
  EXPECT_EQ(Bmap(file, 0, 4096).value(), 0u);
  EXPECT_EQ(Bmap(file, 1, 4096).value(), 0u);
  EXPECT_EQ(Bmap(file, 1 << 20, 4096).value(), 0u);
}

TEST(Bmap, InlineDataHasNoBlock) {
  ListedFile file(60, {InlineIn({0, 60})});
  EXPECT_EQ(Bmap(file, 0, 4096).value(), 0u);
}

TEST(Bmap, RefusesAFileOnAnotherDevice) {
  ListedFile file(4096, {MappedAt(0, {0, 4096}, MappingFlag::kNone, /*device=*/1)});
  EXPECT_THAT(Bmap(file, 0, 4096), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(Bmap, IsOutOfRangePastTheLargestOffset) {
  ListedFile file(0, {});
  const uint64_t last_block = (ByteRange::kMaxOffset - 1) / 4096;
  EXPECT_EQ(Bmap(file, last_block, 4096).value(), 0u);
  EXPECT_THAT(Bmap(file, last_block + 1, 4096), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Bmap(file, ~uint64_t{0}, 4096), StatusIs(absl::StatusCode::kOutOfRange));
}

}  // namespace
}  // namespace iomap
