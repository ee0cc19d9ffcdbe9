#include "iomap/mapping.h"

#include "gtest/gtest.h"
#include "tests/support/mapping_makers.h"

namespace iomap {
namespace {

using tests::DelallocIn;
using tests::HoleIn;
using tests::InlineIn;
using tests::MappedAt;
using tests::UnwrittenAt;

TEST(Mapping, AddressOfAPositionCountsFromTheMappingsStart) {
  EXPECT_EQ(MappedAt(98304, {4096, 8192}).AddressOf(5000), 98304u + 904);
}

TEST(Mapping, HolesAndUnwrittenRangesReadAsZeros) {
  EXPECT_TRUE(HoleIn({0, 1}).reads_as_zeros());
  EXPECT_TRUE(UnwrittenAt(0, {0, 1}).reads_as_zeros());
  EXPECT_FALSE(MappedAt(0, {0, 1}).reads_as_zeros());
  EXPECT_FALSE(DelallocIn({0, 1}).reads_as_zeros());
  EXPECT_FALSE(InlineIn({0, 1}).reads_as_zeros());
}

TEST(Mapping, AddressZeroIsAnAddress) {
  EXPECT_TRUE(MappedAt(0, {0, 4096}).has_address());
  EXPECT_FALSE(HoleIn({0, 4096}).has_address());
}

TEST(MappingSlice, MovesTheAddressWithTheOffset) {
  EXPECT_EQ(MappedAt(98304, {4096, 8192}).Slice({6000, 100}), MappedAt(98304 + 1904, {6000, 100}));
}

TEST(MappingSlice, IsCutToTheMapping) {
  EXPECT_EQ(MappedAt(98304, {4096, 8192}).Slice(ByteRange::All()), MappedAt(98304, {4096, 8192}));
}

TEST(MappingSlice, OfAHoleStaysWithoutAnAddress) {
  EXPECT_EQ(HoleIn({0, 8192}).Slice({4096, 1}), HoleIn({4096, 1}));
}

TEST(MappingSliceDeathTest, RefusesAPartThatDoesNotOverlap) {
  EXPECT_DEATH(HoleIn({0, 4096}).Slice({4096, 1}), "check failed");
}

TEST(MappingContinuesIn, NeedsTheFileAndTheDeviceToGoOn) {
  const Mapping first = MappedAt(8192, {0, 4096});
  EXPECT_TRUE(first.ContinuesIn(MappedAt(12288, {4096, 4096})));
  EXPECT_FALSE(first.ContinuesIn(MappedAt(12288, {8192, 4096}))) << "a gap in the file";
  EXPECT_FALSE(first.ContinuesIn(MappedAt(16384, {4096, 4096}))) << "a gap on the device";
}

TEST(MappingContinuesIn, NeedsTheSameTypeDeviceAndFlags) {
  const Mapping first = MappedAt(8192, {0, 4096});
  EXPECT_FALSE(first.ContinuesIn(UnwrittenAt(12288, {4096, 4096})));
  EXPECT_FALSE(first.ContinuesIn(MappedAt(12288, {4096, 4096}, MappingFlag::kNone, /*device=*/1)));
  EXPECT_FALSE(first.ContinuesIn(MappedAt(12288, {4096, 4096}, MappingFlag::kShared)));
}

TEST(MappingContinuesIn, HolesContinueInHolesAndInlineDataInNothing) {
  EXPECT_TRUE(HoleIn({0, 4096}).ContinuesIn(HoleIn({4096, 4096})));
  EXPECT_FALSE(InlineIn({0, 60}).ContinuesIn(InlineIn({60, 60})));
}

TEST(MappingTypeName, IsTheWordOfTheField) {
  EXPECT_EQ(MappingTypeName(MappingType::kHole), "hole");
  EXPECT_EQ(MappingTypeName(MappingType::kDelalloc), "delalloc");
  EXPECT_EQ(MappingTypeName(MappingType::kMapped), "mapped");
  EXPECT_EQ(MappingTypeName(MappingType::kUnwritten), "unwritten");
  EXPECT_EQ(MappingTypeName(MappingType::kInline), "inline");
  EXPECT_EQ(MappingTypeName(static_cast<MappingType>(9)), "invalid");
}

TEST(MappingDebugString, SaysRangeTypePlaceAndFlags) {
  EXPECT_EQ(DebugString(MappedAt(98304, {4096, 8192})),
            "[4096, 12288) mapped at 98304 of device 0");
  EXPECT_EQ(DebugString(HoleIn({0, 10})), "[0, 10) hole");
  EXPECT_EQ(DebugString(MappedAt(
                0, {0, 1}, MappingFlag::kShared | MappingFlag::kNew | MappingFlag::kEncoded, 1)),
            "[0, 1) mapped at 0 of device 1 shared new encoded");
}

}  // namespace
}  // namespace iomap
