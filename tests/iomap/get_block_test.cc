#include "iomap/get_block.h"

#include <map>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/fiemap.h"
#include "tests/iomap/listed_file.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap {
namespace {

using testing::ElementsAre;
using tests::DelallocIn;
using tests::HoleIn;
using tests::InlineIn;
using tests::IsOk;
using tests::ListedFile;
using tests::MappedAt;
using tests::StatusIs;
using tests::UnwrittenAt;

constexpr uint64_t kBlockSize = 4096;
constexpr absl::StatusCode kInternal = absl::StatusCode::kInternal;
constexpr BufferState kUnwrittenBlock = BufferState::kMapped | BufferState::kUnwritten;

// A file that is mapped through an old get_block function. What `answers` does not hold is a hole.
class BlockMappedFile : public File {
 public:
  BlockMappedFile(std::map<uint64_t, BlockAnswer> answers, size_t most_calls)
      : File(/*inode=*/13), answers_(std::move(answers)), most_calls_(most_calls) {}

  size_t get_block_calls() const { return get_block_calls_; }

  absl::StatusOr<Attributes> attributes() override { return Attributes{.size = 1 << 20}; }

  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
    return MapByGetBlock([this](uint64_t file_block) { return GetBlock(file_block); }, kBlockSize,
                         range, out, most_calls_);
  }

 private:
  absl::StatusOr<BlockAnswer> GetBlock(uint64_t file_block) {
    ++get_block_calls_;
    const auto next = answers_.lower_bound(file_block);
    if (next == answers_.end()) {
      return BlockAnswer{.blocks = ~uint64_t{0}};
    }
    if (next->first > file_block) {
      return BlockAnswer{.blocks = next->first - file_block};
    }
    return next->second;
  }

  const std::map<uint64_t, BlockAnswer> answers_;
  const size_t most_calls_;
  size_t get_block_calls_ = 0;
};

// The mappings that MapByGetBlock gives for `range` when every call of get_block answers the same.
absl::StatusOr<std::vector<Mapping>> MapWith(const BlockAnswer& answer, const ByteRange& range,
                                             size_t room = 8) {
  std::vector<Mapping> out(room);
  const absl::StatusOr<size_t> count =
      MapByGetBlock([&](uint64_t) -> absl::StatusOr<BlockAnswer> { return answer; }, kBlockSize,
                    range, absl::MakeSpan(out), /*most_calls=*/1);
  if (!count.ok()) {
    return count.status();
  }
  out.resize(*count);
  return out;
}

std::vector<Mapping> AllMappingsOf(File& file, const ByteRange& range) {
  std::vector<Mapping> mappings;
  EXPECT_THAT(Fiemap(file, range, Holes::kReport,
                     [&](const FiemapExtent& extent) {
                       mappings.push_back(extent.mapping);
                       return true;
                     }),
              IsOk());
  return mappings;
}

TEST(MapByGetBlock, JoinsBlocksThatFollowEachOther) {
  BlockMappedFile file({{1, {.block = 50, .state = BufferState::kMapped}},
                        {2, {.block = 51, .state = BufferState::kMapped}},
                        {3, {.block = 60, .state = BufferState::kMapped}}},
                       /*most_calls=*/100);
  EXPECT_THAT(
      AllMappingsOf(file, {0, 4 * kBlockSize}),
      ElementsAre(HoleIn({0, kBlockSize}), MappedAt(50 * kBlockSize, {kBlockSize, 2 * kBlockSize}),
                  MappedAt(60 * kBlockSize, {3 * kBlockSize, kBlockSize})));
}

TEST(MapByGetBlock, TranslatesEachState) {
  const ByteRange block{0, kBlockSize};
  EXPECT_THAT(*MapWith({.state = BufferState::kNone}, block), ElementsAre(HoleIn(block)));
  EXPECT_THAT(*MapWith({.state = BufferState::kDelay}, block), ElementsAre(DelallocIn(block)));
  EXPECT_THAT(*MapWith({.block = 5, .state = BufferState::kMapped, .device = 1}, block),
              ElementsAre(MappedAt(5 * kBlockSize, block, MappingFlag::kNone, 1)));
  EXPECT_THAT(*MapWith({.block = 5, .state = BufferState::kUnwritten}, block),
              ElementsAre(UnwrittenAt(5 * kBlockSize, block)));
  EXPECT_THAT(*MapWith({.block = 5, .state = kUnwrittenBlock}, block),
              ElementsAre(UnwrittenAt(5 * kBlockSize, block)));
  EXPECT_THAT(*MapWith({.block = 5, .state = BufferState::kMapped | BufferState::kNew}, block),
              ElementsAre(MappedAt(5 * kBlockSize, block, MappingFlag::kNew)));
}

TEST(MapByGetBlock, RefusesReservedSpaceThatHasABlock) {
  const ByteRange block{0, kBlockSize};
  EXPECT_THAT(MapWith({.block = 5, .state = BufferState::kMapped | BufferState::kDelay}, block),
              StatusIs(kInternal));
  EXPECT_THAT(MapWith({.block = 5, .state = BufferState::kUnwritten | BufferState::kDelay}, block),
              StatusIs(kInternal));
}

TEST(MapByGetBlock, RefusesAnAnswerForNoBlock) {
  EXPECT_THAT(MapWith({.state = BufferState::kMapped, .blocks = 0}, {0, kBlockSize}),
              StatusIs(kInternal));
}

TEST(MapByGetBlock, RefusesAnAddressThatPassesTheLargestOffset) {
  const uint64_t most_blocks = ByteRange::kMaxOffset / kBlockSize;
  const ByteRange block{0, kBlockSize};
  EXPECT_THAT(MapWith({.block = most_blocks - 1, .state = BufferState::kMapped}, block), IsOk());
  EXPECT_THAT(MapWith({.block = most_blocks, .state = BufferState::kMapped}, block),
              StatusIs(kInternal));
  EXPECT_THAT(MapWith({.block = ~uint64_t{0}, .state = BufferState::kMapped}, block),
              StatusIs(kInternal));
  EXPECT_THAT(MapWith({.block = 5, .state = BufferState::kMapped, .blocks = ~uint64_t{0}}, block),
              StatusIs(kInternal));
}

TEST(MapByGetBlock, BeginsInTheMiddleOfABlockWithTheWholeBlock) {
  EXPECT_THAT(*MapWith({.block = 5, .state = BufferState::kMapped}, {kBlockSize + 100, 10}),
              ElementsAre(MappedAt(5 * kBlockSize, {kBlockSize, kBlockSize})));
}

TEST(MapByGetBlock, AnswersShortAfterTheMostCalls) {
  std::map<uint64_t, BlockAnswer> answers;
  for (uint64_t i = 0; i < 100; ++i) {
    answers[i] = {.block = 1000 + i, .state = BufferState::kMapped};
  }
  BlockMappedFile file(answers, /*most_calls=*/10);
  Mapping out[4];
  EXPECT_EQ(file.MapForRead({0, 100 * kBlockSize}, out).value(), 1u);
  EXPECT_EQ(out[0], MappedAt(1000 * kBlockSize, {0, 10 * kBlockSize}));
  EXPECT_EQ(file.get_block_calls(), 10u);
  EXPECT_THAT(AllMappingsOf(file, {0, 100 * kBlockSize}),
              ElementsAre(MappedAt(1000 * kBlockSize, {0, 100 * kBlockSize})));
}

TEST(MapByGetBlock, StopsWhenTheSpanIsFull) {
  BlockMappedFile file({{0, {.block = 9, .state = BufferState::kMapped}},
                        {1, {.block = 7, .state = BufferState::kMapped}},
                        {2, {.block = 5, .state = BufferState::kMapped}}},
                       /*most_calls=*/100);
  Mapping out[2];
  EXPECT_EQ(file.MapForRead({0, 3 * kBlockSize}, out).value(), 2u);
  EXPECT_EQ(out[1], MappedAt(7 * kBlockSize, {kBlockSize, kBlockSize}));
}

TEST(MapByGetBlock, ReachesTheLargestOffset) {
  BlockMappedFile file({{3, {.block = 5, .state = BufferState::kMapped}}}, /*most_calls=*/16);
  EXPECT_THAT(AllMappingsOf(file, ByteRange::All()),
              ElementsAre(HoleIn({0, 3 * kBlockSize}),
                          MappedAt(5 * kBlockSize, {3 * kBlockSize, kBlockSize}),
                          HoleIn(ByteRange::Between(4 * kBlockSize, ByteRange::kMaxOffset))));
}

TEST(MapByGetBlock, MapsTheLastBlockThereIsUpToTheLargestOffset) {
  const uint64_t last_block = (ByteRange::kMaxOffset - 1) / kBlockSize;
  const ByteRange last_bytes = ByteRange::All().From(last_block * kBlockSize);
  EXPECT_THAT(*MapWith({.state = BufferState::kNone}, last_bytes), ElementsAre(HoleIn(last_bytes)));
  EXPECT_THAT(*MapWith({.block = 5, .state = BufferState::kMapped}, last_bytes),
              ElementsAre(MappedAt(5 * kBlockSize, last_bytes)));
}

TEST(MapByGetBlock, ReturnsTheFunctionsError) {
  Mapping out[1];
  EXPECT_THAT(MapByGetBlock(
                  [](uint64_t) -> absl::StatusOr<BlockAnswer> {
                    return absl::DataLossError("indirect block 7");
                  },
                  kBlockSize, {0, kBlockSize}, out, 1),
              StatusIs(absl::StatusCode::kDataLoss, "indirect block 7"));
}

TEST(GetBlockOf, TranslatesEachType) {
  ListedFile file(1 << 20,
                  {MappedAt(10 * kBlockSize, {0, kBlockSize}),
                   UnwrittenAt(20 * kBlockSize, {kBlockSize, kBlockSize}),
                   DelallocIn({2 * kBlockSize, kBlockSize}), HoleIn({3 * kBlockSize, kBlockSize}),
                   MappedAt(0, {4 * kBlockSize, kBlockSize}, MappingFlag::kNew, 1)});
  const auto at = [&](uint64_t block) { return GetBlockOf(file, block, kBlockSize).value(); };
  EXPECT_EQ(at(0).block, 10u);
  EXPECT_EQ(at(0).state, BufferState::kMapped);
  EXPECT_EQ(at(1).block, 20u);
  EXPECT_EQ(at(1).state, kUnwrittenBlock);
  EXPECT_EQ(at(2).state, BufferState::kDelay);
  EXPECT_EQ(at(3).state, BufferState::kNone);
  EXPECT_EQ(at(4).state, BufferState::kMapped | BufferState::kNew);
  EXPECT_EQ(at(4).device, 1);
}

TEST(GetBlockOf, SaysForHowManyBlocksTheAnswerHolds) {
  ListedFile file(1 << 20, {MappedAt(10 * kBlockSize, {0, 8 * kBlockSize})});
  const auto answer = GetBlockOf(file, 3, kBlockSize);
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->block, 13u);
  EXPECT_EQ(answer->blocks, 5u);
}

TEST(GetBlockOf, RefusesInlineData) {
  ListedFile file(60, {InlineIn({0, 60})});
  EXPECT_THAT(GetBlockOf(file, 0, kBlockSize), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(GetBlockOf, IsOutOfRangePastTheLargestOffset) {
  ListedFile file(0, {});
  const uint64_t last_block = (ByteRange::kMaxOffset - 1) / kBlockSize;
  EXPECT_EQ(GetBlockOf(file, last_block, kBlockSize).value().blocks, 1u);
  EXPECT_THAT(GetBlockOf(file, last_block + 1, kBlockSize),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(GetBlock, ThereAndBackIsTheSameFile) {
  const std::vector<Mapping> mappings = {
      MappedAt(10 * kBlockSize, {0, 2 * kBlockSize}),
      UnwrittenAt(12 * kBlockSize, {2 * kBlockSize, kBlockSize}),
      DelallocIn({5 * kBlockSize, kBlockSize}),
      MappedAt(30 * kBlockSize, {6 * kBlockSize, kBlockSize}, MappingFlag::kNew),
      MappedAt(31 * kBlockSize, {7 * kBlockSize, kBlockSize}, MappingFlag::kNone, 1)};
  ListedFile file(1 << 20, mappings);
  // The file again, seen only through the get_block function that it would have had.
  std::map<uint64_t, BlockAnswer> answers;
  for (uint64_t block = 0; block < 8; ++block) {
    answers[block] = GetBlockOf(file, block, kBlockSize).value();
    answers[block].blocks = 1;
  }
  BlockMappedFile again(answers, /*most_calls=*/3);
  const ByteRange range{0, 8 * kBlockSize};
  EXPECT_EQ(AllMappingsOf(again, range), AllMappingsOf(file, range));
}

}  // namespace
}  // namespace iomap
