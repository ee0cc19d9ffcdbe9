#include "backends/ram/extents.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace iomap::ram {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ByteRange kAll = ByteRange::All();

TEST(RamExtents, JoinsWhatIsContiguousInTheFileAndOnTheDevice) {
  Extents extents;
  extents.Insert({0, 4096, 8192});
  extents.Insert({8192, 4096, 16384});
  extents.Insert({4096, 4096, 12288});
  EXPECT_THAT(extents.In(kAll), ElementsAre(Extent{0, 12288, 8192}));
  EXPECT_EQ(extents.allocated_bytes(), 12288);
}

TEST(RamExtents, KeepsUnwrittenRangesApart) {
  Extents extents;
  extents.Insert({0, 4096, 8192});
  extents.Insert({4096, 4096, 12288, /*unwritten=*/true});
  EXPECT_THAT(extents.In(kAll),
              ElementsAre(Extent{0, 4096, 8192}, Extent{4096, 4096, 12288, true}));
}

TEST(RamExtents, GivesThePartsOfARange) {
  Extents extents;
  extents.Insert({4096, 16384, 40960});
  EXPECT_THAT(extents.In({8192, 4096}), ElementsAre(Extent{8192, 4096, 45056}));
  EXPECT_EQ(extents.AtOrAfter(0), (Extent{4096, 16384, 40960}));
  EXPECT_EQ(extents.AtOrAfter(20480), std::nullopt);
}

TEST(RamExtents, SplitsWhereARangeIsRemoved) {
  Extents extents;
  extents.Insert({0, 16384, 40960});
  EXPECT_THAT(extents.Remove({4096, 8192}), ElementsAre(Extent{4096, 8192, 45056}));
  EXPECT_THAT(extents.In(kAll), ElementsAre(Extent{0, 4096, 40960}, Extent{12288, 4096, 53248}));
  EXPECT_THAT(extents.Remove({4096, 8192}), IsEmpty());
  EXPECT_EQ(extents.allocated_bytes(), 8192);
}

TEST(RamExtents, ShiftsUpAndDown) {
  Extents extents;
  extents.Insert({0, 4096, 8192});
  extents.Insert({8192, 4096, 40960});
  extents.Shift(4096, 4096);
  EXPECT_THAT(extents.In(kAll), ElementsAre(Extent{0, 4096, 8192}, Extent{12288, 4096, 40960}));
  extents.Shift(12288, -8192);
  EXPECT_THAT(extents.In(kAll), ElementsAre(Extent{0, 4096, 8192}, Extent{4096, 4096, 40960}));
}

}  // namespace
}  // namespace iomap::ram
