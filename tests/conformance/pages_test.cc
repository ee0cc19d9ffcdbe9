// Mapped pages: faults, and what changes of the file do to pages that are mapped.

#include <algorithm>
#include <memory>
#include <vector>

#include "dax/entry.h"
#include "dax/io.h"
#include "dax/soft_mapping.h"
#include "gmock/gmock.h"
#include "iomap/for_each_mapping.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/contents.h"
#include "tests/conformance/mapped_file.h"
#include "tests/conformance/whole_map.h"
#include "tests/support/bytes.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

// All bytes of the file, as loads give them.
std::vector<std::byte> LoadAll(MappedFile& mapping) {
  std::vector<std::byte> bytes(mapping.file().attributes()->size);
  EXPECT_THAT(mapping.Load(0, absl::MakeSpan(bytes)), IsOk());
  return bytes;
}

TEST_P(Conformance, LoadsOfAHoleAllocateNothing) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 4 * block(), Bytes(1, 1)), IsOk());
  const uint64_t free_bytes = FreeBytes();
  MappedFile mapping = Map(file);
  std::vector<std::byte> expected(4 * block() + 1);
  expected.back() = std::byte{1};
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(TypeAt(*file, 0), MappingType::kHole);
  EXPECT_EQ(FreeBytes(), free_bytes);
  ExpectClean(*file);
}

TEST_P(Conformance, AStoreToAHoleAllocatesOnePage) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 8 * block(), Bytes(1, 1)), IsOk());
  MappedFile mapping = Map(file);
  std::vector<std::byte> expected = LoadAll(mapping);
  ASSERT_THAT(mapping.Store(3 * block() + 5, Bytes(7, 9)), IsOk());
  Put(expected, 3 * block() + 5, Bytes(7, 9));
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(ContentsOf(*file), expected);
  EXPECT_EQ(TypeAt(*file, 3 * block()), MappingType::kMapped);
  EXPECT_EQ(TypeAt(*file, 2 * block()), MappingType::kHole);
  EXPECT_EQ(TypeAt(*file, 4 * block()), MappingType::kHole);
  EXPECT_EQ(file->attributes()->size, 8 * block() + 1);
}

TEST_P(Conformance, AStoreToUnwrittenSpaceConvertsIt) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kAllocate}));
  const auto file = MakeFile("file");
  ASSERT_THAT(file->Fallocate(FallocateMode::kAllocate, {0, 4 * block()}), IsOk());
  const uint64_t address = MappingAt(*file, &File::MapForRead, block())->AddressOf(block());
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(block() + 1, Bytes(1, 1)), IsOk());
  const auto converted = MappingAt(*file, &File::MapForRead, block());
  EXPECT_EQ(converted->type, MappingType::kMapped);
  EXPECT_EQ(converted->AddressOf(block()), address);
  EXPECT_EQ(TypeAt(*file, 2 * block()), MappingType::kUnwritten);
  std::vector<std::byte> expected(4 * block());
  expected[block() + 1] = std::byte{1};
  EXPECT_EQ(ContentsOf(*file), expected);
}

TEST_P(Conformance, NothingOfAnEarlierFileIsInANewPage) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  MakeFile("earlier", Bytes(FreeBytes() / 4 * 3, 0xee));
  ASSERT_THAT(filesystem().Unlink(filesystem().root(), "earlier"), IsOk());
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 64 * block(), Bytes(1, 1)), IsOk());
  MappedFile mapping = Map(file);
  std::vector<std::byte> expected = LoadAll(mapping);
  for (uint64_t offset = 0; offset < 64 * block(); offset += 2 * block()) {
    ASSERT_THAT(mapping.Store(offset + 1, Bytes(1, 2)), IsOk());
    Put(expected, offset + 1, Bytes(1, 2));
  }
  EXPECT_EQ(ContentsOf(*file), expected);
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ExpectOnMedium(*file, 0, expected);
}

TEST_P(Conformance, AStoreToSharedBlocksCopiesThem) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kShare}));
  const std::vector<std::byte> bytes = Bytes(4 * block(), 4);
  const auto source = MakeFile("source", bytes);
  const auto clone = MakeFile("clone");
  MappedFile mapping = Map(clone);
  MappedFile of_source = Map(source);
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, 4 * block()}), IsOk());
  std::vector<std::byte> expected = bytes;
  EXPECT_EQ(LoadAll(mapping), expected);
  ASSERT_THAT(mapping.Store(block() + 9, Bytes(2, 5)), IsOk());
  Put(expected, block() + 9, Bytes(2, 5));
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(ContentsOf(*clone), expected);
  EXPECT_EQ(LoadAll(of_source), bytes);
  // And the other way round.
  ASSERT_THAT(of_source.Store(0, Bytes(1, 6)), IsOk());
  EXPECT_EQ(LoadAll(mapping), expected);
}

TEST_P(Conformance, AliasesWritesAndReadsSeeEachOther) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(8 * block(), 1));
  MappedFile mapping = Map(file);
  MappedFile alias = Map(file, {.largest_page = dax::PageSize::kHuge});
  std::vector<std::byte> expected = Bytes(8 * block(), 1);
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(LoadAll(alias), expected);
  ASSERT_THAT(mapping.Store(block() - 1, Bytes(2, 2)), IsOk());
  Put(expected, block() - 1, Bytes(2, 2));
  EXPECT_EQ(LoadAll(alias), expected);
  ASSERT_THAT(dax::Write(*file, 3 * block(), Bytes(block(), 3)), IsOk());
  Put(expected, 3 * block(), Bytes(block(), 3));
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(LoadAll(alias), expected);
  ASSERT_THAT(alias.Store(3 * block() + 1, Bytes(1, 4)), IsOk());
  Put(expected, 3 * block() + 1, Bytes(1, 4));
  EXPECT_EQ(ContentsOf(*file), expected);
  EXPECT_EQ(LoadAll(mapping), expected);
}

TEST_P(Conformance, AWriteIntoAHoleReachesThosePagesThatShowZeros) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 4 * block(), Bytes(1, 1)), IsOk());
  MappedFile mapping = Map(file);
  std::vector<std::byte> expected = LoadAll(mapping);
  ASSERT_THAT(dax::Write(*file, block() + 1, Bytes(1, 2)), IsOk());
  Put(expected, block() + 1, Bytes(1, 2));
  EXPECT_EQ(LoadAll(mapping), expected);
}

TEST_P(Conformance, PagesPastTheEndOfFileAreOutOfRange) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(10, 1));
  MappedFile mapping = Map(file);
  std::vector<std::byte> byte(1);
  EXPECT_THAT(mapping.Load(dax::kPageBytes - 1, absl::MakeSpan(byte)), IsOk());
  EXPECT_EQ(byte[0], std::byte{0});
  EXPECT_THAT(mapping.Load(dax::kPageBytes, absl::MakeSpan(byte)),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(mapping.Store(dax::kPageBytes, byte), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(Conformance, StoresPastTheEndOfFileNeverBecomeAPartOfIt) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kSetSize}));
  const auto file = MakeFile("file", Bytes(10, 1));
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(10, Bytes(dax::kPageBytes - 10, 2)), IsOk());
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ASSERT_THAT(file->SetSize(3 * block()), IsOk());
  std::vector<std::byte> expected = Bytes(10, 1);
  expected.resize(3 * block());
  EXPECT_EQ(ContentsOf(*file), expected);
  EXPECT_EQ(LoadAll(mapping), expected);
}

TEST_P(Conformance, APunchTakesPagesAway) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kPunchHole}));
  const auto file = MakeFile("file", Bytes(4 * block(), 1));
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(0, Bytes(4 * block(), 2)), IsOk());
  ASSERT_THAT(file->Fallocate(FallocateMode::kPunchHole, {block(), 2 * block()}), IsOk());
  std::vector<std::byte> expected = Bytes(4 * block(), 2);
  Put(expected, block(), Bytes(2 * block(), 0));
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(TypeAt(*file, block()), MappingType::kHole);
  // Whoever has the blocks now keeps them to himself.
  const auto other = MakeFile("other", Bytes(FreeBytes() / 2, 7));
  ASSERT_THAT(mapping.Store(block(), Bytes(block(), 3)), IsOk());
  Put(expected, block(), Bytes(block(), 3));
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(ContentsOf(*other), Bytes(other->attributes()->size, 7));
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ExpectOnMedium(*file, 0, expected);
}

TEST_P(Conformance, APunchTakesPagesAwayThatAreDurable) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kPunchHole}));
  const auto file = MakeFile("file", Bytes(4 * block(), 1));
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(0, Bytes(4 * block(), 2)), IsOk());
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ASSERT_THAT(file->Fallocate(FallocateMode::kPunchHole, {block(), 2 * block()}), IsOk());
  std::vector<std::byte> expected = Bytes(4 * block(), 2);
  Put(expected, block(), Bytes(2 * block(), 0));
  EXPECT_EQ(LoadAll(mapping), expected);
}

TEST_P(Conformance, ShiftedPagesCarryWhatWasStoredToThem) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kShiftRange}));
  const auto file = MakeFile("file", Bytes(8 * block(), 1));
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(5 * block(), Bytes(block(), 2)), IsOk());
  std::vector<std::byte> expected = LoadAll(mapping);
  const auto at = [&](uint64_t offset) {
    return expected.begin() + static_cast<std::ptrdiff_t>(offset);
  };
  ASSERT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {block(), 2 * block()}), IsOk());
  expected.erase(at(block()), at(3 * block()));
  EXPECT_EQ(LoadAll(mapping), expected);
  ASSERT_THAT(mapping.Store(3 * block() + 1, Bytes(1, 3)), IsOk());
  Put(expected, 3 * block() + 1, Bytes(1, 3));
  ASSERT_THAT(file->Fallocate(FallocateMode::kInsertRange, {0, block()}), IsOk());
  expected.insert(expected.begin(), block(), std::byte{0});
  EXPECT_EQ(LoadAll(mapping), expected);
  EXPECT_EQ(ContentsOf(*file), expected);
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ExpectOnMedium(*file, 0, expected);
}

TEST_P(Conformance, ATruncateTakesPagesAway) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax, Capability::kSetSize}));
  const auto file = MakeFile("file", Bytes(4 * block(), 1));
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(0, Bytes(4 * block(), 2)), IsOk());
  ASSERT_THAT(file->SetSize(block() + 1), IsOk());
  std::vector<std::byte> byte(1);
  EXPECT_THAT(mapping.Load(block() + dax::kPageBytes, absl::MakeSpan(byte)),
              StatusIs(absl::StatusCode::kOutOfRange));
  ASSERT_THAT(file->SetSize(4 * block()), IsOk());
  std::vector<std::byte> expected = Bytes(block() + 1, 2);
  expected.resize(4 * block());
  EXPECT_EQ(LoadAll(mapping), expected);
}

TEST_P(Conformance, PinnedPagesAreStoredToWhereTheyLie) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(2 * block(), 1));
  dax::SoftMapping mapping(file);  // pins are this one's
  {
    auto pin = mapping.Pin({0, block()});
    ASSERT_THAT(pin, IsOk());
    pin->Store(5, Bytes(3, 2));
  }
  std::vector<std::byte> expected = Bytes(2 * block(), 1);
  Put(expected, 5, Bytes(3, 2));
  EXPECT_EQ(ContentsOf(*file), expected);
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ExpectOnMedium(*file, 0, expected);
}

}  // namespace
}  // namespace iomap::conformance
