// What a crash may leave: every promise, held against all contents that the recording device's
// lines may have.

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"
#include "dax/io.h"
#include "gmock/gmock.h"
#include "iomap/for_each_mapping.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/contents.h"
#include "tests/conformance/mapped_file.h"
#include "tests/support/bytes.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

TEST_P(Conformance, AWriteIsDurableWhenItReturns) {
  IOMAP_SKIP_IF(MakeFor({}));
  const auto file = MakeFile("file", Bytes(3 * block(), 1));
  std::vector<std::byte> expected = Bytes(3 * block(), 1);
  ExpectOnMedium(*file, 0, expected);
  for (const uint64_t offset : {uint64_t{3}, block() - 1, 5 * block() + 100}) {
    ASSERT_THAT(dax::Write(*file, offset, Bytes(200, 2)), IsOk());
    Put(expected, offset, Bytes(200, 2));
    ExpectOnMedium(*file, 0, expected);
  }
}

TEST_P(Conformance, ZerosAreDurableWhenTheirCallReturns) {
  IOMAP_SKIP_IF(MakeFor({Capability::kPunchHole}));
  const auto file = MakeFile("file", Bytes(3 * block(), 1));
  std::vector<std::byte> expected = Bytes(3 * block(), 1);
  const ByteRange punched{10, 2 * block()};
  ASSERT_THAT(file->Fallocate(FallocateMode::kPunchHole, punched), IsOk());
  Put(expected, punched.offset, Bytes(punched.length, 0));
  ExpectOnMedium(*file, 0, expected);
}

TEST_P(Conformance, StoresAreDurableAfterEachKindOfSync) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(16 * block(), 1));
  MappedFile mapping = Map(file);
  MappedFile alias = Map(file, {.largest_page = dax::PageSize::kHuge});
  std::vector<std::byte> expected = Bytes(16 * block(), 1);
  const std::vector<std::pair<const char*, std::function<absl::Status()>>> syncs = {
      {"fsync", [&] { return mapping.Fsync(); }},
      {"fsync of an alias", [&] { return alias.Fsync(); }},
      {"fdatasync", [&] { return mapping.Fsync(SyncKind::kData); }},
      {"msync", [&] { return mapping.Msync(ByteRange::All()); }},
      {"fsync of the file", [&] { return file->Fsync(ByteRange::All(), SyncKind::kFile); }},
      {"fsync under the lock",
       [&] {
         const InvalidateExclusive invalidate = file->locks().LockInvalidateExclusive();
         return file->FsyncLocked(invalidate, ByteRange::All(), SyncKind::kFile);
       }},
      {"sync of one file", [&] { return file->SyncUnlocked(); }},
      {"sync", [&] { return filesystem().Sync(); }},
  };
  int value = 2;
  for (const auto& [name, sync] : syncs) {
    SCOPED_TRACE(name);
    for (const uint64_t page : {0, 3, 4, 15}) {
      const uint64_t offset = page * block() + 60;
      ASSERT_THAT((page % 2 == 0 ? mapping : alias).Store(offset, Bytes(70, value)), IsOk());
      Put(expected, offset, Bytes(70, value));
    }
    EXPECT_TRUE(file->address_space().MayBeDirty());
    ASSERT_THAT(sync(), IsOk());
    ExpectClean(*file);
    ExpectOnMedium(*file, 0, expected);
    ++value;
  }
}

TEST_P(Conformance, StoresToHugePagesAreDurableAfterEachFsync) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  // One huge page, where the backend has allocated the file in one piece.
  const auto file = MakeFile("file", Bytes(dax::kHugePageBytes, 1));
  std::vector<std::byte> expected = Bytes(dax::kHugePageBytes, 1);
  MappedFile mapping = Map(file, {.largest_page = dax::PageSize::kHuge});
  for (const uint64_t offset : {100'000, 300'000, 100'000}) {
    ASSERT_THAT(mapping.Store(offset, Bytes(70, 2)), IsOk());
    Put(expected, offset, Bytes(70, 2));
    ASSERT_THAT(mapping.Fsync(), IsOk());
    ExpectOnMedium(*file, 0, expected);
  }
}

TEST_P(Conformance, AWriteBesideStoresLeavesThemToTheNextFsync) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const uint64_t page = std::max(dax::kPageBytes, block());
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, page, Bytes(page, 1)), IsOk());
  std::vector<std::byte> expected = Bytes(2 * page, 0);
  Put(expected, page, Bytes(page, 1));
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(page + 100, Bytes(50, 2)), IsOk());
  Put(expected, page + 100, Bytes(50, 2));
  // Into the hole in front of the dirty page, and its first bytes.
  ASSERT_THAT(dax::Write(*file, 0, Bytes(page + 10, 3)), IsOk());
  Put(expected, 0, Bytes(page + 10, 3));
  ASSERT_THAT(mapping.Fsync(), IsOk());
  ExpectOnMedium(*file, 0, expected);
}

TEST_P(Conformance, ASyncOfARangeMakesTheRangeDurable) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(8 * block(), 1));
  MappedFile mapping = Map(file);
  std::vector<std::byte> expected = Bytes(8 * block(), 1);
  for (uint64_t page = 0; page < 8; ++page) {
    ASSERT_THAT(mapping.Store(page * block(), Bytes(10, 2)), IsOk());
    Put(expected, page * block(), Bytes(10, 2));
  }
  const ByteRange range{2 * block() + 1, 3 * block()};  // touches pages 2 to 5
  ASSERT_THAT(mapping.Msync(range), IsOk());
  ExpectOnMedium(*file, 2 * block(),
                 {expected.begin() + static_cast<std::ptrdiff_t>(2 * block()),
                  expected.begin() + static_cast<std::ptrdiff_t>(6 * block())});
  EXPECT_TRUE(file->address_space().MayBeDirty());
}

TEST_P(Conformance, AnFsyncFlushesDirtyPagesAndNoOthers) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(64 * dax::kPageBytes, 1));
  MappedFile mapping = Map(file);
  std::vector<std::byte> bytes(64 * dax::kPageBytes);
  ASSERT_THAT(mapping.Load(0, absl::MakeSpan(bytes)), IsOk());
  const std::set<uint64_t> dirtied = {0, 7, 8, 9, 63};
  for (const uint64_t page : dirtied) {
    ASSERT_THAT(mapping.Store(page * dax::kPageBytes + 17, Bytes(1, 2)), IsOk());
  }
  TakeFlushedPages(*file);
  ASSERT_THAT(mapping.Fsync(), IsOk());
  EXPECT_EQ(TakeFlushedPages(*file), MayBeFlushed(dirtied));
  ASSERT_THAT(mapping.Fsync(), IsOk());
  EXPECT_EQ(TakeFlushedPages(*file), std::set<uint64_t>());
  // A store makes its page dirty anew.
  ASSERT_THAT(mapping.Store(7 * dax::kPageBytes, Bytes(1, 3)), IsOk());
  ASSERT_THAT(mapping.Fsync(), IsOk());
  EXPECT_EQ(TakeFlushedPages(*file), MayBeFlushed({7}));
}

TEST_P(Conformance, BlocksThatAStoreAllocatesHoldZerosBeforeTheyAreTheFiles) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  MakeFile("earlier", Bytes(FreeBytes() / 4 * 3, 0xee));
  ASSERT_THAT(filesystem().Unlink(filesystem().root(), "earlier"), IsOk());
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 8 * dax::kPageBytes, Bytes(1, 1)), IsOk());
  MappedFile mapping = Map(file);
  ASSERT_THAT(mapping.Store(dax::kPageBytes, Bytes(1, 2)), IsOk());
  // The stored byte may be lost; that of another file must not be there.
  ExpectOnMedium(*file, dax::kPageBytes + 1, Bytes(dax::kPageBytes - 1, 0));
}

TEST_P(Conformance, ASynchronousFaultMakesItsPageFindable) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 8 * dax::kPageBytes, Bytes(1, 1)), IsOk());
  MappedFile mapping = Map(file, {.sync = dax::MapSync::kYes});
  ASSERT_THAT(mapping.Store(dax::kPageBytes, Bytes(64, 2)), IsOk());
  const auto place = MappingAt(*file, &File::MapForRead, dax::kPageBytes);
  ASSERT_THAT(place, IsOk());
  ASSERT_EQ(place->type, MappingType::kMapped);
  // The application's own flush is all that is missing.
  dax::Device& main = device();
  ASSERT_THAT(main.Persist({place->AddressOf(dax::kPageBytes), 64}), IsOk());
  ExpectOnMedium(*file, dax::kPageBytes, Bytes(64, 2));
}

TEST_P(Conformance, AFailedDrainIsReportedAndKeepsPagesDirty) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  const auto file = MakeFile("file", Bytes(4 * block(), 1));
  MappedFile mapping = Map(file);
  MappedFile other = Map(file);
  std::vector<std::byte> expected = Bytes(4 * block(), 1);
  ASSERT_THAT(mapping.Store(block(), Bytes(1, 2)), IsOk());
  Put(expected, block(), Bytes(1, 2));
  FailNextDrain(absl::UnavailableError("the medium failed"));
  EXPECT_THAT(mapping.Fsync(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(file->address_space().MayBeDirty());
  EXPECT_THAT(other.Fsync(), StatusIs(absl::StatusCode::kUnavailable)) << "told once each";
  EXPECT_THAT(mapping.Fsync(), IsOk());
  EXPECT_THAT(other.Fsync(), IsOk());
  ExpectOnMedium(*file, 0, expected);
}

TEST_P(Conformance, TheLastCloseLosesNothing) {
  IOMAP_SKIP_IF(MakeFor({Capability::kDax}));
  InodeNumber inode;
  {
    const auto file = MakeFile("file", Bytes(2 * block(), 1));
    inode = file->inode();
    MappedFile mapping = Map(file);
    ASSERT_THAT(mapping.Store(0, Bytes(2 * block(), 2)), IsOk());
  }
  const auto file = *filesystem().OpenFile(inode);
  ExpectOnMedium(*file, 0, Bytes(2 * block(), 2));
}

}  // namespace
}  // namespace iomap::conformance
