// Changes of extents: fallocate's modes and clones.

#include <algorithm>
#include <memory>
#include <vector>

#include "dax/io.h"
#include "gmock/gmock.h"
#include "iomap/for_each_mapping.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/contents.h"
#include "tests/conformance/whole_map.h"
#include "tests/support/bytes.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

// Expects that all of `range` is of one type.
void ExpectType(File& file, const ByteRange& range, MappingType type) {
  EXPECT_THAT(ForEachMapping(file, &File::MapForRead, range,
                             [&](const Mapping& mapping, const ByteRange&) {
                               EXPECT_EQ(mapping.type, type) << DebugString(mapping);
                               return Walk::kContinue;
                             }),
              IsOk());
}

// Expects that all of `range` is shared, or that nothing of it is.
void ExpectShared(File& file, const ByteRange& range, bool shared) {
  EXPECT_THAT(ForEachMapping(file, &File::MapForReport, range,
                             [&](const Mapping& mapping, const ByteRange&) {
                               EXPECT_EQ(HasFlag(mapping.flags, MappingFlag::kShared), shared)
                                   << DebugString(mapping);
                               return Walk::kContinue;
                             }),
              IsOk());
}

// Blocks that each hold a number of their own, from 1 on.
std::vector<std::byte> NumberedBlocks(uint64_t block, int count) {
  std::vector<std::byte> bytes;
  for (int i = 1; i <= count; ++i) {
    bytes.insert(bytes.end(), block, static_cast<std::byte>(i));
  }
  return bytes;
}

TEST_P(Conformance, AllocatedSpaceIsUnwritten) {
  IOMAP_SKIP_IF(MakeFor({Capability::kAllocate}));
  const auto file = MakeFile("file", Bytes(block(), 1));
  const uint64_t free_bytes = FreeBytes();
  ASSERT_THAT(file->Fallocate(FallocateMode::kAllocateKeepSize, {0, 4 * block()}), IsOk());
  EXPECT_EQ(file->attributes()->size, block());
  EXPECT_LE(FreeBytes(), free_bytes - 3 * block());
  ExpectType(*file, {0, block()}, MappingType::kMapped);
  ExpectType(*file, {block(), 3 * block()}, MappingType::kUnwritten);
  ASSERT_THAT(file->Fallocate(FallocateMode::kAllocate, {block(), 2 * block() - 5}), IsOk());
  EXPECT_EQ(file->attributes()->size, 3 * block() - 5);
  std::vector<std::byte> expected = Bytes(block(), 1);
  expected.resize(3 * block() - 5);
  EXPECT_EQ(ContentsOf(*file), expected);
}

TEST_P(Conformance, AnAllocationThatDoesNotFitChangesNothing) {
  IOMAP_SKIP_IF(MakeFor({Capability::kAllocate}));
  const auto file = MakeFile("file", Bytes(block(), 1));
  const std::vector<Mapping> map = WholeMap(*file, &File::MapForRead);
  const uint64_t free_bytes = FreeBytes();
  EXPECT_THAT(file->Fallocate(FallocateMode::kAllocate, {0, GetParam().device_bytes + block()}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(WholeMap(*file, &File::MapForRead), map);
  EXPECT_EQ(file->attributes()->size, block());
  EXPECT_EQ(FreeBytes(), free_bytes);
}

TEST_P(Conformance, RangesThatMakeNoSenseAreRefused) {
  IOMAP_SKIP_IF(MakeFor({Capability::kAllocate}));
  const auto file = MakeFile("file", Bytes(block(), 1));
  EXPECT_THAT(file->Fallocate(FallocateMode::kAllocate, {0, 0}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(file->Fallocate(FallocateMode::kAllocate, {ByteRange::kMaxOffset, 1}),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(Conformance, PunchedBlocksAreHolesAndPartsOfBlocksZeros) {
  IOMAP_SKIP_IF(MakeFor({Capability::kPunchHole}));
  std::vector<std::byte> expected = NumberedBlocks(block(), 8);
  const auto file = MakeFile("file", expected);
  const uint64_t free_bytes = FreeBytes();
  const uint64_t generation = file->generation();
  const ByteRange punched{block() + 10, 3 * block()};
  ASSERT_THAT(file->Fallocate(FallocateMode::kPunchHole, punched), IsOk());
  Put(expected, punched.offset, Bytes(punched.length, 0));
  EXPECT_EQ(ContentsOf(*file), expected);
  ExpectType(*file, {2 * block(), 2 * block()}, MappingType::kHole);
  ExpectType(*file, {0, 2 * block()}, MappingType::kMapped);
  ExpectType(*file, {4 * block(), 4 * block()}, MappingType::kMapped);
  EXPECT_GT(FreeBytes(), free_bytes);
  EXPECT_FALSE(file->UnchangedSince(generation));
  EXPECT_EQ(file->attributes()->size, 8 * block());
  // Past the end of file there is nothing to do.
  EXPECT_THAT(file->Fallocate(FallocateMode::kPunchHole, {20 * block(), block()}), IsOk());
  EXPECT_EQ(ContentsOf(*file), expected);
}

TEST_P(Conformance, AZeroedRangeIsAllocatedAndReadsAsZeros) {
  IOMAP_SKIP_IF(MakeFor({Capability::kZeroRange}));
  std::vector<std::byte> expected = NumberedBlocks(block(), 4);
  const auto file = MakeFile("file", expected);
  const ByteRange zeroed{block() + 10, 6 * block()};
  ASSERT_THAT(file->Fallocate(FallocateMode::kZeroRangeKeepSize, zeroed), IsOk());
  Put(expected, zeroed.offset, Bytes(4 * block() - zeroed.offset, 0));
  EXPECT_EQ(ContentsOf(*file), expected);
  for (uint64_t position = 0; position < zeroed.end(); position += block()) {
    EXPECT_TRUE(MappingAt(*file, &File::MapForRead, position)->has_address()) << position;
  }
  ASSERT_THAT(file->Fallocate(FallocateMode::kZeroRange, zeroed), IsOk());
  expected.resize(zeroed.end());
  EXPECT_EQ(ContentsOf(*file), expected);
}

TEST_P(Conformance, ACollapsedRangeIsGone) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShiftRange}));
  std::vector<std::byte> expected = NumberedBlocks(block(), 8);
  const auto file = MakeFile("file", expected);
  const uint64_t free_bytes = FreeBytes();
  const uint64_t generation = file->generation();
  const ByteRange gone{2 * block(), 3 * block()};
  ASSERT_THAT(file->Fallocate(FallocateMode::kCollapseRange, gone), IsOk());
  const auto first = expected.begin() + static_cast<std::ptrdiff_t>(gone.offset);
  expected.erase(first, first + static_cast<std::ptrdiff_t>(gone.length));
  EXPECT_EQ(ContentsOf(*file), expected);
  EXPECT_GE(FreeBytes(), free_bytes + gone.length);
  EXPECT_FALSE(file->UnchangedSince(generation));
}

TEST_P(Conformance, AnInsertedRangeIsAHole) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShiftRange}));
  std::vector<std::byte> expected = NumberedBlocks(block(), 8);
  const auto file = MakeFile("file", expected);
  const uint64_t generation = file->generation();
  const ByteRange hole{2 * block(), 3 * block()};
  ASSERT_THAT(file->Fallocate(FallocateMode::kInsertRange, hole), IsOk());
  expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(hole.offset), hole.length,
                  std::byte{0});
  EXPECT_EQ(ContentsOf(*file), expected);
  ExpectType(*file, hole, MappingType::kHole);
  EXPECT_FALSE(file->UnchangedSince(generation));
}

TEST_P(Conformance, ShiftsThatLinuxRefusesAreRefused) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShiftRange}));
  const std::vector<std::byte> expected = NumberedBlocks(block(), 4);
  const auto file = MakeFile("file", expected);
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {1, block()}), invalid);
  EXPECT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {0, block() - 1}), invalid);
  EXPECT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {2 * block(), 2 * block()}), invalid);
  EXPECT_THAT(file->Fallocate(FallocateMode::kInsertRange, {1, block()}), invalid);
  EXPECT_THAT(file->Fallocate(FallocateMode::kInsertRange, {block(), block() + 1}), invalid);
  EXPECT_THAT(file->Fallocate(FallocateMode::kInsertRange, {4 * block(), block()}), invalid);
  EXPECT_EQ(ContentsOf(*file), expected);
}

TEST_P(Conformance, AClonesBlocksAreShared) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShare}));
  const std::vector<std::byte> bytes = NumberedBlocks(block(), 6);
  const auto source = MakeFile("source", bytes);
  const auto clone = MakeFile("clone", Bytes(10, 99));
  const uint64_t free_bytes = FreeBytes();
  ASSERT_THAT(clone->CloneRange(*source, block(), {2 * block(), 3 * block()}), IsOk());
  EXPECT_GT(FreeBytes() + 3 * block(), free_bytes) << "the bytes were copied";
  std::vector<std::byte> expected = Bytes(10, 99);
  Put(expected, 2 * block(),
      {bytes.begin() + static_cast<std::ptrdiff_t>(block()),
       bytes.begin() + static_cast<std::ptrdiff_t>(4 * block())});
  EXPECT_EQ(ContentsOf(*clone), expected);
  EXPECT_EQ(ContentsOf(*source), bytes);
  for (uint64_t offset = 0; offset < 3 * block(); offset += block()) {
    EXPECT_EQ(MappingAt(*source, &File::MapForRead, block() + offset)->AddressOf(block() + offset),
              MappingAt(*clone, &File::MapForRead, 2 * block() + offset)
                  ->AddressOf(2 * block() + offset));
  }
  if (Has(Capability::kReport)) {
    ExpectShared(*source, {block(), 3 * block()}, true);
    ExpectShared(*clone, {2 * block(), 3 * block()}, true);
    ExpectShared(*source, {0, block()}, false);
    ExpectShared(*source, {4 * block(), 2 * block()}, false);
  }
}

TEST_P(Conformance, AWriteToSharedBlocksLeavesTheOtherFileAlone) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShare}));
  const std::vector<std::byte> bytes = NumberedBlocks(block(), 4);
  const auto source = MakeFile("source", bytes);
  const auto clone = MakeFile("clone");
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, 4 * block()}), IsOk());
  const uint64_t generation = clone->generation();
  ASSERT_THAT(dax::Write(*clone, block() + 3, Bytes(5, 77)), IsOk());
  std::vector<std::byte> expected = bytes;
  Put(expected, block() + 3, Bytes(5, 77));
  EXPECT_EQ(ContentsOf(*clone), expected);
  EXPECT_EQ(ContentsOf(*source), bytes);
  EXPECT_FALSE(clone->UnchangedSince(generation));
}

TEST_P(Conformance, UnsharedBytesAreTheFilesOwn) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShare}));
  const std::vector<std::byte> bytes = NumberedBlocks(block(), 4);
  const auto source = MakeFile("source", bytes);
  auto clone = MakeFile("clone");
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, 4 * block()}), IsOk());
  ASSERT_THAT(clone->Fallocate(FallocateMode::kUnshareRange, {0, 4 * block()}), IsOk());
  EXPECT_EQ(ContentsOf(*clone), bytes);
  EXPECT_EQ(ContentsOf(*source), bytes);
  ExpectShared(*source, {0, 4 * block()}, false);
  ExpectShared(*clone, {0, 4 * block()}, false);
}

TEST_P(Conformance, SharedBlocksStayWhileOneFileHasThem) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShare}));
  const std::vector<std::byte> bytes = NumberedBlocks(block(), 4);
  auto source = MakeFile("source", bytes);
  const auto clone = MakeFile("clone");
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, 4 * block()}), IsOk());
  ASSERT_THAT(filesystem().Unlink(filesystem().root(), "source"), IsOk());
  source.reset();
  const auto other = MakeFile("other", Bytes(FreeBytes() / 2, 55));
  EXPECT_EQ(ContentsOf(*clone), bytes);
  ExpectShared(*clone, {0, 4 * block()}, false);
}

TEST_P(Conformance, ClonesThatLinuxRefusesAreRefused) {
  IOMAP_SKIP_IF(MakeFor({Capability::kShare}));
  const auto file = MakeFile("file", NumberedBlocks(block(), 4));
  const auto other = MakeFile("other");
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(other->CloneRange(*file, 1, {0, block()}), invalid);
  EXPECT_THAT(other->CloneRange(*file, 0, {1, block()}), invalid);
  EXPECT_THAT(other->CloneRange(*file, 0, {0, block() + 1}), invalid);
  EXPECT_THAT(other->CloneRange(*file, 3 * block(), {0, 2 * block()}), invalid);
  EXPECT_THAT(file->CloneRange(*file, 0, {block(), 2 * block()}), invalid);
  EXPECT_EQ(other->attributes()->size, 0);
}

}  // namespace
}  // namespace iomap::conformance
