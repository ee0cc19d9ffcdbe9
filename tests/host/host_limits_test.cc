// What a mapping cannot give, and how it says so: space, pieces, other processes, threads that end.

#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/pagemap.h"
#include "dax/pmem_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/host/host_mapping_fixture.h"
#include "tests/host/page_file.h"
#include "tests/support/bytes.h"
#include "tests/support/sigbus.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::HostMappingFixture;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;
using ::testing::HasSubstr;

class HostLimitsTest : public HostMappingFixture {
 protected:
  ~HostLimitsTest() override { HostMapping::LimitPieces(HostPageTable::kMostPieces); }

  static bool Stores(HostMapping& mapping, uint64_t offset, int value) {
    const auto byte = static_cast<std::byte>(value);
    return tests::CopyUnlessSigbus(mapping.bytes().data() + offset, &byte, 1);
  }
};

INSTANTIATE_TEST_SUITE_P(Each, HostLimitsTest, testing::ValuesIn(AllTrackings()),
                         tests::NameOfTracking);

// What resolves faults.
class HostFaultsTest : public HostLimitsTest {};

INSTANTIATE_TEST_SUITE_P(Each, HostFaultsTest,
                         testing::Values(Tracking::kAsync, Tracking::kAsyncUser,
                                         Tracking::kWriteFaults, Tracking::kSignals),
                         tests::NameOfTracking);

TEST_P(HostLimitsTest, AFileInTooManyPiecesIsRefusedAndCostsNothing) {
  const auto file = MakeFile("f", 200, 0);
  for (uint64_t page = 0; page < 200; page += 2) {
    ASSERT_THAT(dax::Write(*file, page * kPageBytes, Bytes(10, 1)), IsOk());
  }
  HostMapping::LimitPieces(60);
  const auto refused = HostMapping::Make(file, {.tracking = GetParam()});
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(refused.status().message(), HasSubstr("60 is the limit"));
  const auto other = MakeFile("g", 4, 1);
  const auto mapping = Mapped(other);
  EXPECT_TRUE(Stores(*mapping, 0, 2));
}

TEST_P(HostLimitsTest, StoresToManyPlacesNeedFewPieces) {
  constexpr uint64_t kPages = 1024;
  const auto file = MakeFile("f", 0, 0);
  ASSERT_THAT(file->Fallocate(FallocateMode::kAllocate, {0, kPages * kPageBytes}), IsOk());
  ASSERT_THAT(dax::Write(*file, 0, Bytes(kPages * kPageBytes, 1)), IsOk());  // in one piece
  const auto mapping = Mapped(file);
  // A piece for every cluster would be 64 of them, and 64 between them.
  HostMapping::LimitPieces(20);
  for (uint64_t page = 0; page < kPages; page += 32) {
    ASSERT_TRUE(Stores(*mapping, page * kPageBytes, 2)) << mapping->last_error();
  }
  ASSERT_THAT(mapping->Fsync(), IsOk());
  for (uint64_t page = 0; page < kPages; page += 32) {
    EXPECT_EQ(Durable(*file, page * kPageBytes), std::byte{2});
  }
}

TEST_P(HostLimitsTest, AStoreWithoutSpaceEndsInSigbusAndSaysWhy) {
  const auto file = MakeFile("f", 16, 0);
  ASSERT_THAT(dax::Write(*file, 0, Bytes(kPageBytes, 1)), IsOk());
  const auto filler = MakeFile("filler", 1, 0);
  uint64_t end = 0;
  const uint64_t left = GetParam() == Tracking::kNothing ? 15 * kPageBytes : 0;
  while (ram_->info()->free_bytes > left) {
    ASSERT_THAT(dax::Write(*filler, end, Bytes(kPageBytes, 1)), IsOk());
    end += kPageBytes;
  }
  if (GetParam() == Tracking::kNothing) {
    ASSERT_THAT(dax::Write(*filler, end, Bytes(kPageBytes, 1)), IsOk());
    EXPECT_THAT(HostMapping::Make(file, {.tracking = GetParam()}),
                StatusIs(absl::StatusCode::kResourceExhausted))
        << "all of it is allocated at once";
    return;
  }
  const auto mapping = Mapped(file);
  EXPECT_TRUE(Stores(*mapping, 0, 2));
  EXPECT_FALSE(Stores(*mapping, 5 * kPageBytes, 2));
  EXPECT_THAT(mapping->last_error(), StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_THAT(filler->SetSize(0), IsOk());
  EXPECT_FALSE(Stores(*mapping, 5 * kPageBytes, 2)) << "refused until it is populated";
  ASSERT_THAT(mapping->Populate({5 * kPageBytes, 1}), IsOk());
  EXPECT_TRUE(Stores(*mapping, 5 * kPageBytes, 2));
}

TEST_P(HostFaultsTest, StoresInSequenceAllocateAhead) {
  const auto file = MakeFile("f", 64, 0);
  const auto mapping = Mapped(file);
  // One page; the next two; and four.
  for (const auto& [page, allocated] : {std::pair(0, 1), {1, 3}, {2, 3}, {3, 7}, {40, 8}}) {
    ASSERT_TRUE(Stores(*mapping, page * kPageBytes, 2));
    EXPECT_EQ(file->attributes()->blocks_512, allocated * kPageBytes / 512) << "page " << page;
  }
  EXPECT_EQ(mapping->bytes()[6 * kPageBytes], std::byte{0});
}

// The moment in a write(2) between the commit of a block and the end of who shows zeros there.
TEST_P(HostFaultsTest, AStoreBesideAWriteIntoItsHoleIsSeenAndDurable) {
  const auto file = MakeFile("f", 8, 0);
  const auto one = Mapped(file);
  const auto other = Mapped(file);
  EXPECT_EQ(one->bytes()[kPageBytes], std::byte{0});
  const ByteRange page{kPageBytes, kPageBytes};
  {
    const IoExclusive io = file->locks().LockIoExclusive();
    auto mapping = file->MapForWrite(io, page);
    ASSERT_THAT(mapping, IsOk());
    Device& device = *device_;
    const uint64_t address = mapping->target.AddressOf(page.offset);
    ASSERT_THAT(device.WriteThrough(address, Bytes(kPageBytes, 1)), IsOk());
    ASSERT_THAT(device.Drain(), IsOk());
    ASSERT_THAT(mapping->Commit(page), IsOk());
  }
  ASSERT_TRUE(Stores(*other, kPageBytes, 2));
  EXPECT_EQ(one->bytes()[kPageBytes], std::byte{2});
  EXPECT_EQ(one->bytes()[kPageBytes + 1], std::byte{1});
  ASSERT_THAT(other->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, kPageBytes), std::byte{2});
}

TEST_P(HostLimitsTest, AFrozenFilesystemHoldsStoresAndLetsLoadsPass) {
  const auto file = MakeFile("f", 8, 1);
  const auto mapping = Mapped(file);
  ASSERT_TRUE(Stores(*mapping, 0, 2));
  ASSERT_THAT(ram_->Freeze(), IsOk());
  EXPECT_EQ(Durable(*file, 0), std::byte{2});
  if (!ResolvesFaults()) {
    EXPECT_FALSE(Stores(*mapping, 0, 3));
    ram_->Thaw();
    return;
  }
  EXPECT_EQ(mapping->bytes()[kPageBytes], std::byte{1});
  std::atomic<bool> stored = false;
  std::thread writer([&] {
    mapping->bytes()[0] = std::byte{3};
    mapping->bytes()[kPageBytes] = std::byte{3};  // to a page that was loaded meanwhile
    stored = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(stored);
  EXPECT_EQ(mapping->bytes()[2 * kPageBytes], std::byte{1});
  EXPECT_EQ(ByteOf(*file, 0), std::byte{2});
  ram_->Thaw();
  writer.join();
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 0), std::byte{3});
  EXPECT_EQ(Durable(*file, kPageBytes), std::byte{3});
}

TEST_P(HostLimitsTest, AChildProcessDoesNotHaveIt) {
  const auto file = MakeFile("f", 8, 1);
  const auto mapping = Mapped(file);
  const pid_t child = fork();
  if (child == 0) {
    if (GetParam() != Tracking::kSignals) {  // there the handler itself must let it go
      std::signal(SIGSEGV, SIG_DFL);
    }
    mapping->bytes()[0] = std::byte{9};
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  // By the signal, or by a sanitizer that reports it.
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ASSERT_TRUE(Stores(*mapping, kPageBytes, 2));
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 0), std::byte{1});
  EXPECT_EQ(Durable(*file, kPageBytes), std::byte{2});
}

TEST_P(HostLimitsTest, AnotherBadAccessIsStillOne) {
  const auto file = MakeFile("f", 1, 1);
  const auto mapping = Mapped(file);
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  auto* const protected_page = static_cast<volatile char*>(
      mmap(nullptr, kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  EXPECT_DEATH(*protected_page = 1, "");
}

TEST_P(HostFaultsTest, AFaultThreadThatEndsEndsTheProcessInWords) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto store = [&] {
    auto file = std::make_shared<tests::PageFile>(ram_->devices(), 4);
    file->on_fault = [] { pthread_exit(nullptr); };
    const auto mapping = HostMapping::Make(file, {.tracking = GetParam()});
    (*mapping)->bytes()[0] = std::byte{1};
  };
  EXPECT_DEATH(store(), "a thread that resolves page faults has ended");
}

TEST_P(HostLimitsTest, ASynchronousStoreReturnsWhenItsPageCanBeFound) {
  auto file = std::make_shared<tests::PageFile>(ram_->devices(), 4);
  const auto mapping = HostMapping::Make(file, {.sync = MapSync::kYes, .tracking = GetParam()});
  ASSERT_THAT(mapping, IsOk());
  for (const uint64_t page : {2, 0}) {
    ASSERT_TRUE(Stores(**mapping, page * kPageBytes, 1));
    EXPECT_EQ(file->committed(), file->changes()) << "after the store to page " << page;
    Persist((*mapping)->bytes().data() + page * kPageBytes, 1);
  }
  EXPECT_GT(file->changes(), 0);
  ASSERT_THAT((*mapping)->Fsync(), IsOk());
}

TEST_P(HostLimitsTest, SynchronousStoresNeedPersistentMemory) {
  const std::string path = directory_ / "other";
  DeviceSet devices;
  {
    std::ofstream(path) << std::string(1 << 20, '\0');
    devices.push_back(*PmemDevice::Open(path, 0));
  }
  auto file = std::make_shared<tests::PageFile>(devices, 4);
  EXPECT_THAT(HostMapping::Make(file, {.sync = MapSync::kYes, .tracking = GetParam()}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(HostDevices, WhatCannotBeMappedIsRefused) {
  DeviceSet devices;
  devices.push_back(std::make_unique<MemoryDevice>(std::vector<std::byte>(1 << 20)));
  const auto ram = *ram::Filesystem::Make(std::move(devices));
  const auto file = *ram->OpenFile(*ram->Create(ram->root(), "f", S_IFREG | 0644));
  ASSERT_THAT(dax::Write(*file, 0, Bytes(10, 1)), IsOk());
  EXPECT_THAT(HostMapping::Make(file, {}), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(HostDevices, AMappingOfNothingIsRefused) {
  const tests::TemporaryDirectory directory = *tests::TemporaryDirectory::Make();
  tests::MirroredRam made = tests::MakeMirroredRam(directory / "device", 1 << 20);
  const auto file = *made.filesystem->OpenFile(
      *made.filesystem->Create(made.filesystem->root(), "f", S_IFREG | 0644));
  EXPECT_THAT(HostMapping::Make(file, {}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(HostMapping::Make(file, {.bytes = ~uint64_t{0}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// Files of the page cache of a disk's file system: the kernel traps less there.
TEST(HostDevices, AFileOnADiskIsMappedToo) {
  std::string path = "/var/tmp/iomap-host-XXXXXX";
  const int descriptor = mkstemp(path.data());
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(ftruncate(descriptor, 1 << 22), 0);
  close(descriptor);
  for (const Tracking tracking : AllTrackings()) {
    SCOPED_TRACE(TrackingName(tracking));
    DeviceSet devices;
    devices.push_back(*PmemDevice::Open(path, 0));
    if (const absl::Status can = HostMapping::CanTrack(tracking, *devices[0]); !can.ok()) {
      // Faults of stores to such a file are not to be had; the others work wherever they are known.
      EXPECT_TRUE(tracking == Tracking::kWriteFaults || !PageTraps::Make(tracking).ok()) << can;
      continue;
    }
    const auto ram = *ram::Filesystem::Make(std::move(devices));
    const auto file = *ram->OpenFile(*ram->Create(ram->root(), "f", S_IFREG | 0644));
    const auto clone = *ram->OpenFile(*ram->Create(ram->root(), "c", S_IFREG | 0644));
    ASSERT_THAT(dax::Write(*file, 0, Bytes(16 * kPageBytes, 1)), IsOk());
    const auto mapping = *HostMapping::Make(file, {.tracking = tracking});
    mapping->bytes()[5 * kPageBytes] = std::byte{2};
    ASSERT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {0, kPageBytes}), IsOk());
    if (tracking == Tracking::kNothing) {
      ASSERT_THAT(mapping->Populate({0, 15 * kPageBytes}), IsOk());
    }
    EXPECT_EQ(mapping->bytes()[4 * kPageBytes], std::byte{2});
    ASSERT_THAT(clone->CloneRange(*file, 0, {0, 15 * kPageBytes}), IsOk());
    if (tracking == Tracking::kNothing) {
      ASSERT_THAT(mapping->Populate({0, 15 * kPageBytes}), IsOk());
    }
    EXPECT_EQ(mapping->bytes()[4 * kPageBytes], std::byte{2});
    mapping->bytes()[4 * kPageBytes] = std::byte{3};
    ASSERT_THAT(mapping->Fsync(), IsOk());
    std::byte byte{};
    ASSERT_THAT(Read(*clone, 4 * kPageBytes, absl::MakeSpan(&byte, 1)), IsOk());
    EXPECT_EQ(byte, std::byte{2});
    ASSERT_THAT(Read(*file, 4 * kPageBytes, absl::MakeSpan(&byte, 1)), IsOk());
    EXPECT_EQ(byte, std::byte{3});
  }
  unlink(path.c_str());
}

TEST(HostDevices, HugePagesAreUsedWhereTheBackingHasThem) {
  const tests::TemporaryDirectory directory = *tests::TemporaryDirectory::Make();
  IOMAP_SKIP_IF(tests::WhyNoMount());
  ASSERT_EQ(mount("iomap", directory.path().c_str(), "tmpfs", 0, "huge=always,size=64m"), 0);
  const std::string path = directory / "device";
  const absl::Cleanup unmount = [&] { umount2(directory.path().c_str(), MNT_DETACH); };
  for (const Tracking tracking : {Tracking::kSignals, Tracking::kNothing, Tracking::kAsync}) {
    SCOPED_TRACE(TrackingName(tracking));
    const tests::MirroredRam made = tests::MakeMirroredRam(path, 4 * kHugePageBytes);
    const auto file = *made.filesystem->OpenFile(
        *made.filesystem->Create(made.filesystem->root(), "f", S_IFREG | 0644));
    ASSERT_THAT(dax::Write(*file, 0, Bytes(2 * kHugePageBytes, 1)), IsOk());
    const auto mapping = *HostMapping::Make(file, {.tracking = tracking});
    mapping->bytes()[kHugePageBytes + 1] = std::byte{2};
    const auto pagemap = *Pagemap::Open();
    const auto begin = reinterpret_cast<uintptr_t>(mapping->bytes().data());
    // What is write-protected by the page is mapped by the page.
    EXPECT_EQ(*pagemap->HugeBytes({begin, mapping->bytes().size()}),
              tracking == Tracking::kAsync ? 0 : kHugePageBytes);
    ASSERT_THAT(mapping->Fsync(), IsOk());
    EXPECT_EQ(made.device->Durable(FirstMapping(*file, &iomap::File::MapForRead, {0, 1})->address +
                                       kHugePageBytes + 1,
                                   1)[0],
              std::byte{2});
  }
}

}  // namespace
}  // namespace iomap::dax
