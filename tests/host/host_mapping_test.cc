// Files mapped into this process: plain loads and stores, with extents that change under them.

#include "dax/host_mapping.h"

#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "dax/io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/host/host_mapping_fixture.h"
#include "tests/support/bytes.h"
#include "tests/support/sigbus.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::HostMappingFixture;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

class HostMappingTest : public HostMappingFixture {};

INSTANTIATE_TEST_SUITE_P(Each, HostMappingTest, testing::ValuesIn(AllTrackings()),
                         tests::NameOfTracking);

TEST_P(HostMappingTest, ShowsTheFileAndStoresToIt) {
  const auto file = MakeFile("f", 16, 1);
  const auto mapping = Mapped(file);
  EXPECT_EQ(mapping->bytes()[5 * kPageBytes + 7], std::byte{1});
  mapping->bytes()[5 * kPageBytes + 7] = std::byte{2};
  EXPECT_EQ(ByteOf(*file, 5 * kPageBytes + 7), std::byte{2});
  EXPECT_EQ(Durable(*file, 5 * kPageBytes + 7), std::byte{1});
  device_->ListFlushed();
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 5 * kPageBytes + 7), std::byte{2});
  EXPECT_EQ(TakeFlushedBytes(), FlushedForOneStore(*file));
  if (GetParam() != Tracking::kNothing) {
    ASSERT_THAT(mapping->Fsync(), IsOk());
    EXPECT_EQ(TakeFlushedBytes(), 0) << "nothing was stored meanwhile";
  }
  mapping->bytes()[5 * kPageBytes + 8] = std::byte{3};
  ASSERT_THAT(file->Fsync(ByteRange::All(), SyncKind::kFile), IsOk());
  EXPECT_EQ(Durable(*file, 5 * kPageBytes + 8), std::byte{3});
}

TEST_P(HostMappingTest, HolesReadAsZerosAndAreAllocatedByStores) {
  const auto file = MakeFile("f", 16, 0);
  const auto mapping = Mapped(file);
  EXPECT_EQ(mapping->bytes()[3 * kPageBytes], std::byte{0});
  const bool allocated_before = GetParam() == Tracking::kNothing;
  EXPECT_EQ(file->attributes()->blocks_512, allocated_before ? 16 * kPageBytes / 512 : 0);
  mapping->bytes()[3 * kPageBytes + 1] = std::byte{9};
  EXPECT_EQ(file->attributes()->blocks_512, (allocated_before ? 16 : 1) * kPageBytes / 512);
  EXPECT_EQ(mapping->bytes()[3 * kPageBytes], std::byte{0});
  mapping->bytes()[4 * kPageBytes + 1] = std::byte{8};  // with no load before it
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 3 * kPageBytes + 1), std::byte{9});
  EXPECT_EQ(Durable(*file, 4 * kPageBytes + 1), std::byte{8});
}

TEST_P(HostMappingTest, AliasesAndWritesSeeEachOther) {
  const auto file = MakeFile("f", 8, 0);
  const auto one = Mapped(file);
  const auto other = Mapped(file);
  EXPECT_EQ(one->bytes()[0], std::byte{0});
  EXPECT_EQ(other->bytes()[0], std::byte{0});
  one->bytes()[0] = std::byte{1};
  EXPECT_EQ(other->bytes()[0], std::byte{1});
  other->bytes()[kPageBytes] = std::byte{2};
  EXPECT_EQ(one->bytes()[kPageBytes], std::byte{2});
  EXPECT_EQ(one->bytes()[2 * kPageBytes], std::byte{0});
  ASSERT_THAT(dax::Write(*file, 2 * kPageBytes, Bytes(1, 3)), IsOk());
  PopulateAgain(*one, 8);
  PopulateAgain(*other, 8);
  EXPECT_EQ(one->bytes()[2 * kPageBytes], std::byte{3});
  EXPECT_EQ(other->bytes()[2 * kPageBytes], std::byte{3});
  other->bytes()[2 * kPageBytes + 1] = std::byte{4};
  ASSERT_THAT(one->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 2 * kPageBytes + 1), std::byte{4});
}

TEST_P(HostMappingTest, PunchedPagesAreZerosAndComeBack) {
  const auto file = MakeFile("f", 8, 5);
  const auto mapping = Mapped(file);
  mapping->bytes()[2 * kPageBytes] = std::byte{6};
  ASSERT_THAT(file->Fallocate(FallocateMode::kPunchHole, {2 * kPageBytes, kPageBytes}), IsOk());
  PopulateAgain(*mapping, 8);
  EXPECT_EQ(mapping->bytes()[2 * kPageBytes], std::byte{0});
  EXPECT_EQ(mapping->bytes()[3 * kPageBytes], std::byte{5});
  mapping->bytes()[2 * kPageBytes + 1] = std::byte{7};
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 2 * kPageBytes + 1), std::byte{7});
}

TEST_P(HostMappingTest, ShiftsCarryWhatWasStored) {
  const auto file = MakeFile("f", 8, 5);
  const auto mapping = Mapped(file);
  mapping->bytes()[3 * kPageBytes + 1] = std::byte{6};
  ASSERT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {0, kPageBytes}), IsOk());
  PopulateAgain(*mapping, 7);
  EXPECT_EQ(mapping->bytes()[2 * kPageBytes + 1], std::byte{6});
  mapping->bytes()[2 * kPageBytes + 2] = std::byte{7};
  ASSERT_THAT(file->Fallocate(FallocateMode::kInsertRange, {kPageBytes, 2 * kPageBytes}), IsOk());
  PopulateAgain(*mapping, 9);
  EXPECT_EQ(mapping->bytes()[4 * kPageBytes + 1], std::byte{6});
  EXPECT_EQ(mapping->bytes()[4 * kPageBytes + 2], std::byte{7});
  EXPECT_EQ(mapping->bytes()[kPageBytes], std::byte{0});
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 4 * kPageBytes + 2), std::byte{7});
}

TEST_P(HostMappingTest, AStoreToAClonesSourceChangesTheSourceAlone) {
  const auto source = MakeFile("s", 4, 1);
  const auto clone = MakeFile("c", 4, 0);
  const auto mapping = Mapped(source);
  const auto cloned = Mapped(clone);
  mapping->bytes()[0] = std::byte{2};
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, 4 * kPageBytes}), IsOk());
  PopulateAgain(*mapping, 4);
  PopulateAgain(*cloned, 4);
  EXPECT_EQ(cloned->bytes()[0], std::byte{2});
  mapping->bytes()[0] = std::byte{3};
  cloned->bytes()[1] = std::byte{4};
  EXPECT_EQ(cloned->bytes()[0], std::byte{2});
  EXPECT_EQ(mapping->bytes()[0], std::byte{3});
  EXPECT_EQ(mapping->bytes()[1], std::byte{1});
  ASSERT_THAT(mapping->Fsync(), IsOk());
  ASSERT_THAT(cloned->Fsync(), IsOk());
  EXPECT_EQ(Durable(*source, 0), std::byte{3});
  EXPECT_EQ(Durable(*clone, 1), std::byte{4});
}

TEST_P(HostMappingTest, SystemCallsStoreIntoIt) {
  const auto file = MakeFile("f", 8, 0);
  ASSERT_THAT(dax::Write(*file, 0, Bytes(kPageBytes, 1)), IsOk());
  const auto mapping = Mapped(file);
  std::array<int, 2> ends = {};
  ASSERT_EQ(pipe(ends.data()), 0);
  const std::vector<std::byte> bytes = Bytes(2 * kPageBytes, 7);
  ASSERT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  // The first page has a block, the second is a hole: what cannot resolve the faults of a system
  // call gives EFAULT, or what was read before it, until the pages were stored to.
  if (GetParam() == Tracking::kSignals || GetParam() == Tracking::kAsyncUser) {
    EXPECT_LT(read(ends[0], mapping->bytes().data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    ASSERT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    mapping->bytes()[0] = std::byte{1};
    mapping->bytes()[kPageBytes] = std::byte{1};
  }
  ASSERT_EQ(read(ends[0], mapping->bytes().data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  close(ends[0]);
  close(ends[1]);
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, kPageBytes - 1), std::byte{7});
  EXPECT_EQ(Durable(*file, 2 * kPageBytes - 1), std::byte{7});
}

// True when a load ends in SIGBUS.
bool LoadEndsInSigbus(const std::byte* byte) {
  std::byte loaded;
  return !tests::CopyUnlessSigbus(&loaded, byte, 1);
}

TEST_P(HostMappingTest, PagesPastTheEndOfFileEndInSigbus) {
  const auto file = MakeFile("f", 4, 1);
  auto made = HostMapping::Make(file, {.bytes = 16 * kPageBytes, .tracking = GetParam()});
  ASSERT_THAT(made, IsOk());
  const std::byte* const bytes = (*made)->bytes().data();
  EXPECT_FALSE(LoadEndsInSigbus(bytes + 3 * kPageBytes));
  EXPECT_TRUE(LoadEndsInSigbus(bytes + 4 * kPageBytes));
  if (ResolvesFaults()) {
    EXPECT_THAT((*made)->last_error(), StatusIs(absl::StatusCode::kOutOfRange));
  }
  EXPECT_THAT((*made)->Populate({3 * kPageBytes, 2 * kPageBytes}),
              StatusIs(absl::StatusCode::kOutOfRange));
  ASSERT_THAT(file->SetSize(6 * kPageBytes), IsOk());
  PopulateAgain(**made, 6);
  EXPECT_FALSE(LoadEndsInSigbus(bytes + 4 * kPageBytes));
  EXPECT_TRUE(LoadEndsInSigbus(bytes + 6 * kPageBytes));
  ASSERT_THAT(dax::Write(*file, 6 * kPageBytes, Bytes(10, 1)), IsOk());
  PopulateAgain(**made, 7);
  EXPECT_FALSE(LoadEndsInSigbus(bytes + 6 * kPageBytes));
  ASSERT_THAT(file->SetSize(2 * kPageBytes), IsOk());
  EXPECT_TRUE(LoadEndsInSigbus(bytes + 2 * kPageBytes));
  EXPECT_FALSE(LoadEndsInSigbus(bytes + kPageBytes));
}

}  // namespace
}  // namespace iomap::dax
