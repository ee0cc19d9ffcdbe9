#include "iomap/for_each_mapping.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/iomap/listed_file.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::HoleIn;
using tests::IsOk;
using tests::ListedFile;
using tests::MappedAt;
using tests::StatusIs;

// A backend that gives the same answer whatever it is asked, and may lie about how long it is.
class LyingFile : public File {
 public:
  explicit LyingFile(std::vector<Mapping> answer)
      : File(/*inode=*/12), answer_(std::move(answer)), claimed_count_(answer_.size()) {}

  void Claim(size_t count) { claimed_count_ = count; }

  absl::StatusOr<Attributes> attributes() override { return Attributes{.size = 1 << 20}; }

  absl::StatusOr<size_t> MapForRead(const ByteRange& /*range*/, absl::Span<Mapping> out) override {
    std::copy_n(answer_.begin(), std::min(answer_.size(), out.size()), out.begin());
    return claimed_count_;
  }

 private:
  const std::vector<Mapping> answer_;
  size_t claimed_count_;
};

// A file that has one answer and fails from then on.
class FailingFile : public ListedFile {
 public:
  using ListedFile::ListedFile;
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
    if (range.offset > 0) {
      return absl::DataLossError("inode 12, block 7: bad magic 0");
    }
    return ListedFile::MapForRead(range, out.first(1));
  }
};

struct Visit {
  Mapping mapping;
  ByteRange part;
  friend bool operator==(const Visit&, const Visit&) = default;
};

absl::StatusOr<std::vector<Visit>> VisitsOf(File& file, const ByteRange& range) {
  std::vector<Visit> visits;
  IOMAP_RETURN_IF_ERROR(ForEachMapping(file, &File::MapForRead, range,
                                       [&](const Mapping& mapping, const ByteRange& part) {
                                         visits.push_back({mapping, part});
                                         return Walk::kContinue;
                                       }));
  return visits;
}

// What the loop says when the backend gives `answer` for the bytes [4096, 12288).
absl::Status VerdictOn(std::vector<Mapping> answer) {
  LyingFile file(std::move(answer));
  return VisitsOf(file, {4096, 8192}).status();
}

constexpr absl::StatusCode kInternal = absl::StatusCode::kInternal;

TEST(ForEachMapping, AcceptsAnAnswerThatReachesOverBothEnds) {
  EXPECT_THAT(VerdictOn({MappedAt(0, {0, 8192}), HoleIn({8192, 8192})}), IsOk());
}

TEST(ForEachMapping, RefusesAnAnswerWithoutMappings) {
  EXPECT_THAT(VerdictOn({}), StatusIs(kInternal, HasSubstr("inode 12, offset 4096")));
}

TEST(ForEachMapping, RefusesAnAnswerThatClaimsMoreMappingsThanThereWasRoomFor) {
  LyingFile file({MappedAt(0, {4096, 8192})});
  file.Claim(kMappingsPerCall + 1);
  EXPECT_THAT(VisitsOf(file, {4096, 8192}), StatusIs(kInternal));
  file.Claim(std::numeric_limits<size_t>::max());
  EXPECT_THAT(VisitsOf(file, {4096, 8192}), StatusIs(kInternal));
}

TEST(ForEachMapping, RefusesAFirstMappingThatDoesNotHoldThePosition) {
  EXPECT_THAT(VerdictOn({MappedAt(0, {0, 4096})}), StatusIs(kInternal, HasSubstr("[0, 4096)")));
  EXPECT_THAT(VerdictOn({MappedAt(0, {4097, 8192})}), StatusIs(kInternal));
}

TEST(ForEachMapping, RefusesAGapBetweenMappings) {
  EXPECT_THAT(VerdictOn({HoleIn({4096, 4096}), HoleIn({8193, 4096})}),
              StatusIs(kInternal, HasSubstr("gap or an overlap")));
}

TEST(ForEachMapping, RefusesMappingsThatOverlap) {
  EXPECT_THAT(VerdictOn({HoleIn({4096, 4096}), HoleIn({8191, 4096})}),
              StatusIs(kInternal, HasSubstr("gap or an overlap")));
}

TEST(ForEachMapping, RefusesAnEmptyMapping) {
  EXPECT_THAT(VerdictOn({HoleIn({4096, 0})}), StatusIs(kInternal));
  EXPECT_THAT(VerdictOn({HoleIn({4096, 4096}), HoleIn({8192, 0}), HoleIn({8192, 4096})}),
              StatusIs(kInternal, HasSubstr("empty or overflowing")));
}

TEST(ForEachMapping, RefusesAMappingThatPassesTheLargestOffset) {
  EXPECT_THAT(VerdictOn({HoleIn({4096, ByteRange::kMaxOffset})}), StatusIs(kInternal));
  EXPECT_THAT(VerdictOn({HoleIn({4096, ~uint64_t{0}})}), StatusIs(kInternal));
  EXPECT_THAT(VerdictOn({HoleIn({4096, 4096}), HoleIn({8192, ~uint64_t{0}})}),
              StatusIs(kInternal, HasSubstr("empty or overflowing")));
}

TEST(ForEachMapping, RefusesALieBehindTheRangeToo) {
  EXPECT_THAT(VerdictOn({HoleIn({4096, 8192}), HoleIn({20480, 1})}), StatusIs(kInternal));
}

TEST(ForEachMapping, RefusesAnAnswerThatMakesNoProgressInsteadOfLoopingForever) {
  EXPECT_THAT(VerdictOn({MappedAt(0, {4096, 4096})}),
              StatusIs(kInternal, HasSubstr("offset 8192")));
}

TEST(ForEachMapping, CoversTheRangeWithPartsAndWritesHolesOut) {
  ListedFile file(1 << 20, {MappedAt(50000, {4096, 4096})});
  const auto visits = VisitsOf(file, {2048, 8192});
  ASSERT_THAT(visits, IsOk());
  EXPECT_THAT(*visits, ElementsAre(Visit{HoleIn({2048, 2048}), {2048, 2048}},
                                   Visit{MappedAt(50000, {4096, 4096}), {4096, 4096}},
                                   Visit{HoleIn({8192, 2048}), {8192, 2048}}));
}

TEST(ForEachMapping, AsksAgainAfterAShortAnswerAndVisitsTheSame) {
  std::vector<Mapping> mappings;
  for (uint64_t i = 0; i < 10; ++i) {
    mappings.push_back(MappedAt(100000 - i * 4096, {i * 8192, 4096}));
  }
  ListedFile file(1 << 20, mappings);
  const auto at_once = VisitsOf(file, {100, 70000});
  EXPECT_EQ(file.calls(), 1u);
  file.AnswerAtMost(3);
  const auto in_pieces = VisitsOf(file, {100, 70000});
  EXPECT_GT(file.calls(), 5u);
  ASSERT_THAT(at_once, IsOk());
  ASSERT_THAT(in_pieces, IsOk());
  ASSERT_EQ(at_once->size(), in_pieces->size());
  for (size_t i = 0; i < at_once->size(); ++i) {
    EXPECT_EQ((*at_once)[i].part, (*in_pieces)[i].part);
    EXPECT_EQ((*at_once)[i].mapping.type, (*in_pieces)[i].mapping.type);
  }
}

TEST(ForEachMapping, AsksForMappingsInBatches) {
  std::vector<Mapping> mappings;
  for (uint64_t i = 0; i < 4 * kMappingsPerCall; ++i) {
    mappings.push_back(MappedAt((i % 2) << 20, {i * 4096, 4096}));
  }
  ListedFile file(1 << 20, mappings);
  const auto visits = VisitsOf(file, {0, 4 * kMappingsPerCall * 4096});
  ASSERT_THAT(visits, IsOk());
  EXPECT_EQ(visits->size(), 4 * kMappingsPerCall);
  EXPECT_EQ(file.calls(), 4u);
}

TEST(ForEachMapping, CoversTheLargestRange) {
  ListedFile file(0, {MappedAt(0, {ByteRange::kMaxOffset - 1, 1})});
  const auto visits = VisitsOf(file, ByteRange::All());
  ASSERT_THAT(visits, IsOk());
  EXPECT_EQ(visits->back().part, (ByteRange{ByteRange::kMaxOffset - 1, 1}));
}

TEST(ForEachMapping, AsksNothingForAnEmptyRange) {
  ListedFile file(0, {});
  EXPECT_THAT(VisitsOf(file, {4096, 0}), IsOk());
  EXPECT_EQ(file.calls(), 0u);
}

TEST(ForEachMapping, StopsWhenTheBodySaysSo) {
  ListedFile file(1 << 20, {MappedAt(0, {0, 10}), MappedAt(500, {10, 10})});
  int visits = 0;
  EXPECT_THAT(ForEachMapping(file, &File::MapForRead, {0, 100},
                             [&](const Mapping&, const ByteRange&) {
                               ++visits;
                               return Walk::kStop;
                             }),
              IsOk());
  EXPECT_EQ(visits, 1);
}

TEST(ForEachMapping, ReturnsTheBodysError) {
  ListedFile file(1 << 20, {});
  EXPECT_THAT(ForEachMapping(file, &File::MapForRead, {0, 100},
                             [&](const Mapping&, const ByteRange&) -> absl::StatusOr<Walk> {
                               return absl::AbortedError("enough");
                             }),
              StatusIs(absl::StatusCode::kAborted, "enough"));
}

TEST(ForEachMapping, ReturnsTheFilesErrorAfterWhatCameBefore) {
  FailingFile file(1 << 20, {MappedAt(0, {0, 10})});
  int visits = 0;
  EXPECT_THAT(ForEachMapping(file, &File::MapForRead, {0, 100},
                             [&](const Mapping&, const ByteRange&) {
                               ++visits;
                               return Walk::kContinue;
                             }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block 7")));
  EXPECT_EQ(visits, 1);
}

TEST(ForEachMapping, AReportIsWhatAReaderIsToldWhenTheBackendHasNoMoreToSay) {
  ListedFile file(1 << 20, {MappedAt(0, {0, 100})});
  int visits = 0;
  EXPECT_THAT(ForEachMapping(file, &File::MapForReport, {0, 100},
                             [&](const Mapping& mapping, const ByteRange&) {
                               EXPECT_EQ(mapping, MappedAt(0, {0, 100}));
                               ++visits;
                               return Walk::kContinue;
                             }),
              IsOk());
  EXPECT_EQ(visits, 1);
}

TEST(MappingAt, IsTheWholeMappingThatHoldsThePosition) {
  ListedFile file(1 << 20, {MappedAt(50000, {4096, 4096})});
  const auto mapping = MappingAt(file, &File::MapForRead, 5000);
  ASSERT_THAT(mapping, IsOk());
  EXPECT_EQ(*mapping, MappedAt(50000, {4096, 4096}));
}

TEST(MappingAt, HoldsTheLastPositionThereIs) {
  ListedFile file(0, {});
  EXPECT_THAT(MappingAt(file, &File::MapForRead, ByteRange::kMaxOffset - 1), IsOk());
}

TEST(MappingAt, ChecksTheAnswerLikeTheLoop) {
  LyingFile none({});
  EXPECT_THAT(MappingAt(none, &File::MapForRead, 0), StatusIs(kInternal));
  LyingFile elsewhere({HoleIn({1, 10})});
  EXPECT_THAT(MappingAt(elsewhere, &File::MapForRead, 0), StatusIs(kInternal));
  LyingFile overflowing({HoleIn({0, ~uint64_t{0}})});
  EXPECT_THAT(MappingAt(overflowing, &File::MapForRead, 0), StatusIs(kInternal));
  LyingFile too_many({HoleIn({0, 10})});
  too_many.Claim(2);
  EXPECT_THAT(MappingAt(too_many, &File::MapForRead, 0), StatusIs(kInternal));
}

}  // namespace
}  // namespace iomap
