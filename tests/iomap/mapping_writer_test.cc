#include "iomap/mapping_writer.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mapping_makers.h"

namespace iomap {
namespace {

using testing::ElementsAre;
using tests::HoleIn;
using tests::MappedAt;

std::vector<Mapping> Written(const std::vector<Mapping>& out, const MappingWriter& writer) {
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(writer.count())};
}

TEST(MappingWriter, WritesAHoleInFrontOfAMappingThatBeginsLater) {
  std::vector<Mapping> out(4);
  MappingWriter writer({0, 100}, absl::MakeSpan(out));
  EXPECT_TRUE(writer.Append(MappedAt(500, {40, 20})));
  EXPECT_FALSE(writer.AppendHoleUntil(100));
  EXPECT_THAT(Written(out, writer),
              ElementsAre(HoleIn({0, 40}), MappedAt(500, {40, 20}), HoleIn({60, 40})));
}

TEST(MappingWriter, KeepsAMappingWholeThatReachesOverBothEnds) {
  std::vector<Mapping> out(4);
  MappingWriter writer({40, 10}, absl::MakeSpan(out));
  EXPECT_FALSE(writer.Append(MappedAt(500, {0, 100})));
  EXPECT_THAT(Written(out, writer), ElementsAre(MappedAt(500, {0, 100})));
}

TEST(MappingWriter, PassesOverMappingsInFrontOfTheRange) {
  std::vector<Mapping> out(4);
  MappingWriter writer({40, 10}, absl::MakeSpan(out));
  EXPECT_TRUE(writer.Append(MappedAt(500, {0, 40})));
  EXPECT_EQ(writer.count(), 0u);
  EXPECT_EQ(writer.position(), 40u);
}

TEST(MappingWriter, PutsNothingInTheSpanWhenOnlyTheHoleHadRoom) {
  std::vector<Mapping> out(1);
  MappingWriter writer({0, 100}, absl::MakeSpan(out));
  EXPECT_FALSE(writer.Append(MappedAt(500, {40, 20})));
  EXPECT_THAT(Written(out, writer), ElementsAre(HoleIn({0, 40})));
  EXPECT_FALSE(writer.Append(MappedAt(500, {40, 20})));
  EXPECT_EQ(writer.count(), 1u);
}

TEST(MappingWriter, WantsNothingMoreOnceTheRangeIsCovered) {
  std::vector<Mapping> out(4);
  MappingWriter writer({0, 100}, absl::MakeSpan(out));
  EXPECT_TRUE(writer.wants_more());
  EXPECT_FALSE(writer.Append(MappedAt(500, {0, 100})));
  EXPECT_FALSE(writer.Append(MappedAt(600, {100, 10})));
  EXPECT_EQ(writer.count(), 1u);
}

TEST(MappingWriter, AHoleThatEndsBehindThePositionIsNoHole) {
  std::vector<Mapping> out(4);
  MappingWriter writer({50, 100}, absl::MakeSpan(out));
  EXPECT_TRUE(writer.AppendHoleUntil(50));
  EXPECT_TRUE(writer.AppendHoleUntil(10));
  EXPECT_EQ(writer.count(), 0u);
}

TEST(MappingWriterDeathTest, NeedsRoomForOneMapping) {
  EXPECT_DEATH(MappingWriter({0, 1}, {}), "check failed");
}

}  // namespace
}  // namespace iomap
