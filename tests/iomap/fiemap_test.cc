#include "iomap/fiemap.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/iomap/listed_file.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap {

// What a failed expectation prints.
static void PrintTo(const FiemapExtent& extent, std::ostream* out) {
  *out << DebugString(extent.mapping) << (extent.last ? " last" : "");
}

static bool operator==(const FiemapExtent& a, const FiemapExtent& b) {
  return a.mapping == b.mapping && a.last == b.last;
}

namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::DelallocIn;
using tests::HoleIn;
using tests::InlineIn;
using tests::IsOk;
using tests::ListedFile;
using tests::MappedAt;
using tests::UnwrittenAt;

std::vector<FiemapExtent> ExtentsOf(File& file, const ByteRange& range, Holes holes) {
  std::vector<FiemapExtent> extents;
  EXPECT_THAT(Fiemap(file, range, holes,
                     [&](const FiemapExtent& extent) {
                       extents.push_back(extent);
                       return true;
                     }),
              IsOk());
  return extents;
}

FiemapExtent Plain(const Mapping& mapping) { return {mapping, false}; }
FiemapExtent Last(const Mapping& mapping) { return {mapping, true}; }

TEST(Fiemap, AnEmptyFileHasNoExtent) {
  ListedFile file(0, {});
  EXPECT_THAT(ExtentsOf(file, ByteRange::All(), Holes::kSkip), IsEmpty());
}

TEST(Fiemap, MergesNeighboursThatTouchInTheFileAndOnTheDevice) {
  ListedFile file(12288, {MappedAt(40960, {0, 4096}), MappedAt(45056, {4096, 4096}),
                          MappedAt(49152, {8192, 4096})});
  EXPECT_THAT(ExtentsOf(file, ByteRange::All(), Holes::kSkip),
              ElementsAre(Last(MappedAt(40960, {0, 12288}))));
}

TEST(Fiemap, MergesOverTheBoundaryOfTwoAnswers) {
  ListedFile file(12288, {MappedAt(40960, {0, 4096}), MappedAt(45056, {4096, 4096}),
                          MappedAt(49152, {8192, 4096})});
  file.AnswerAtMost(1);
  EXPECT_THAT(ExtentsOf(file, ByteRange::All(), Holes::kSkip),
              ElementsAre(Last(MappedAt(40960, {0, 12288}))));
}

TEST(Fiemap, KeepsApartWhatDiffersInTypeFlagsOrPlace) {
  ListedFile file(
      1 << 20, {MappedAt(40960, {0, 4096}), UnwrittenAt(45056, {4096, 4096}),
                MappedAt(49152, {8192, 4096}), MappedAt(53248, {12288, 4096}, MappingFlag::kShared),
                MappedAt(0, {16384, 4096}, MappingFlag::kShared)});
  EXPECT_THAT(
      ExtentsOf(file, ByteRange::All(), Holes::kSkip),
      ElementsAre(Plain(MappedAt(40960, {0, 4096})), Plain(UnwrittenAt(45056, {4096, 4096})),
                  Plain(MappedAt(49152, {8192, 4096})),
                  Plain(MappedAt(53248, {12288, 4096}, MappingFlag::kShared)),
                  Last(MappedAt(0, {16384, 4096}, MappingFlag::kShared))));
}

TEST(Fiemap, DoesNotMergeOverAHoleThatIsNotShown) {
  ListedFile file(12288, {MappedAt(40960, {0, 4096}), MappedAt(45056, {8192, 4096})});
  EXPECT_THAT(ExtentsOf(file, ByteRange::All(), Holes::kSkip),
              ElementsAre(Plain(MappedAt(40960, {0, 4096})), Last(MappedAt(45056, {8192, 4096}))));
}

TEST(Fiemap, ShowsHolesWhenAskedCutToTheRange) {
  ListedFile file(20480, {MappedAt(40960, {4096, 4096})});
  EXPECT_THAT(ExtentsOf(file, {1000, 19480}, Holes::kReport),
              ElementsAre(Plain(HoleIn({1000, 3096})), Last(MappedAt(40960, {4096, 4096})),
                          Plain(HoleIn({8192, 12288}))));
}

TEST(Fiemap, NeighbouringHolesAreOne) {
  ListedFile file(20480, {HoleIn({0, 4096}), HoleIn({4096, 4096})});
  file.AnswerAtMost(1);
  EXPECT_THAT(ExtentsOf(file, {0, 20480}, Holes::kReport), ElementsAre(Plain(HoleIn({0, 20480}))));
}

TEST(Fiemap, ReportsAnExtentWholeThatReachesOverTheEndsOfTheRange) {
  ListedFile file(20480, {MappedAt(40960, {0, 20480})});
  EXPECT_THAT(ExtentsOf(file, {5000, 1}, Holes::kReport),
              ElementsAre(Last(MappedAt(40960, {0, 20480}))));
}

TEST(Fiemap, LastLooksBehindTheRange) {
  ListedFile file(20480, {MappedAt(40960, {0, 4096}), MappedAt(4096, {16384, 4096})});
  EXPECT_THAT(ExtentsOf(file, {0, 8192}, Holes::kSkip),
              ElementsAre(Plain(MappedAt(40960, {0, 4096}))));
  EXPECT_THAT(ExtentsOf(file, {16384, 4096}, Holes::kSkip),
              ElementsAre(Last(MappedAt(4096, {16384, 4096}))));
}

TEST(Fiemap, LastIsNotTheOneBeforePreallocationPastTheEndOfFile) {
  ListedFile file(4096, {MappedAt(40960, {0, 4096}), UnwrittenAt(81920, {1 << 20, 4096})});
  EXPECT_THAT(ExtentsOf(file, {0, 4096}, Holes::kSkip),
              ElementsAre(Plain(MappedAt(40960, {0, 4096}))));
  EXPECT_THAT(
      ExtentsOf(file, ByteRange::All(), Holes::kSkip),
      ElementsAre(Plain(MappedAt(40960, {0, 4096})), Last(UnwrittenAt(81920, {1 << 20, 4096}))));
}

TEST(Fiemap, ARangeOfHolesHasNoLastExtent) {
  ListedFile file(20480, {MappedAt(40960, {0, 4096})});
  EXPECT_THAT(ExtentsOf(file, {4096, 4096}, Holes::kSkip), IsEmpty());
  EXPECT_THAT(ExtentsOf(file, {4096, 4096}, Holes::kReport),
              ElementsAre(Plain(HoleIn({4096, 4096}))));
}

TEST(Fiemap, InlineDataAndReservedSpaceAreExtents) {
  ListedFile inline_file(60, {InlineIn({0, 60})});
  EXPECT_THAT(ExtentsOf(inline_file, ByteRange::All(), Holes::kSkip),
              ElementsAre(Last(InlineIn({0, 60}))));
  ListedFile delayed(8192, {DelallocIn({0, 4096}), DelallocIn({4096, 4096})});
  EXPECT_THAT(ExtentsOf(delayed, ByteRange::All(), Holes::kSkip),
              ElementsAre(Last(DelallocIn({0, 8192}))));
}

TEST(Fiemap, AnExtentUpToTheLargestOffsetIsLast) {
  ListedFile file(0, {MappedAt(0, {4096, ByteRange::kMaxOffset - 4096})});
  EXPECT_THAT(ExtentsOf(file, ByteRange::All(), Holes::kSkip),
              ElementsAre(Last(MappedAt(0, {4096, ByteRange::kMaxOffset - 4096}))));
}

TEST(Fiemap, StopsWhenToldAtAnExtentAndAtAHole) {
  ListedFile file(20480, {MappedAt(40960, {4096, 4096}), MappedAt(8192, {12288, 4096})});
  for (int most : {1, 2, 3, 4}) {
    int shown = 0;
    EXPECT_THAT(Fiemap(file, {0, 20480}, Holes::kReport,
                       [&](const FiemapExtent&) { return ++shown < most; }),
                IsOk());
    EXPECT_EQ(shown, most);
  }
}

// A file whose report says more than a reader needs: its bytes are shared.
class SharedFile : public ListedFile {
 public:
  using ListedFile::ListedFile;
  absl::StatusOr<size_t> MapForReport(const ByteRange& range, absl::Span<Mapping> out) override {
    IOMAP_ASSIGN_OR_RETURN(const size_t count, MapForRead(range, out));
    for (Mapping& mapping : out.first(count)) {
      if (mapping.type == MappingType::kMapped) {
        mapping.flags = MappingFlag::kShared;
      }
    }
    return count;
  }
};

TEST(Fiemap, AsksForTheReportAndNotForTheReadersMapping) {
  SharedFile file(4096, {MappedAt(0, {0, 4096})});
  EXPECT_THAT(ExtentsOf(file, ByteRange::All(), Holes::kSkip),
              ElementsAre(Last(MappedAt(0, {0, 4096}, MappingFlag::kShared))));
}

}  // namespace
}  // namespace iomap
