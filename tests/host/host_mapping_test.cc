// Files mapped into this process: plain loads and stores, with extents that change under them.

#include "dax/host_mapping.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csetjmp>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/ram/filesystem.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/pmem_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/host/mirror_device.h"
#include "tests/support/bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_directory.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

constexpr uint64_t kDeviceBytes = uint64_t{32} << 20;

class HostMappingTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_ / "device";
    ASSERT_EQ(close(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), 0);
    ASSERT_EQ(truncate(path.c_str(), kDeviceBytes), 0);
    auto mirror = std::make_unique<tests::MirrorDevice>(*PmemDevice::Open(path, 0));
    device_ = mirror.get();
    DeviceSet devices;
    devices.push_back(std::move(mirror));
    ram_ = *ram::Filesystem::Make(std::move(devices));
  }

  std::shared_ptr<File> MakeFile(const std::string& name, uint64_t pages, int value) {
    auto file = *ram_->OpenFile(*ram_->Create(ram_->root(), name, S_IFREG | 0644));
    EXPECT_THAT(file->SetSize(pages * kPageBytes), IsOk());
    if (value != 0) {
      EXPECT_THAT(dax::Write(*file, 0, Bytes(pages * kPageBytes, value)), IsOk());
    }
    return file;
  }

  static std::unique_ptr<HostMapping> Mapped(const std::shared_ptr<File>& file) {
    auto mapping = HostMapping::Make(file, {});
    EXPECT_THAT(mapping, IsOk());
    return *std::move(mapping);
  }

  // What the medium would hold of the file's byte.
  std::byte Durable(File& file, uint64_t offset) {
    const auto mapping = FirstMapping(file, &iomap::File::MapForRead, ByteRange{offset, 1});
    EXPECT_THAT(mapping, IsOk());
    return mapping->type == MappingType::kMapped
               ? device_->Durable(mapping->AddressOf(offset), 1)[0]
               : std::byte{0};
  }

  static std::byte ByteOf(File& file, uint64_t offset) {
    std::byte byte{0xee};
    EXPECT_EQ(*Read(file, offset, absl::MakeSpan(&byte, 1)), 1u);
    return byte;
  }

  const tests::TemporaryDirectory directory_ = *tests::TemporaryDirectory::Make();
  tests::MirrorDevice* device_ = nullptr;
  std::unique_ptr<ram::Filesystem> ram_;
};

TEST_F(HostMappingTest, ShowsTheFileAndStoresToIt) {
  const auto file = MakeFile("f", 16, 1);
  const auto mapping = Mapped(file);
  EXPECT_EQ(mapping->bytes()[5 * kPageBytes + 7], std::byte{1});
  mapping->bytes()[5 * kPageBytes + 7] = std::byte{2};
  EXPECT_EQ(ByteOf(*file, 5 * kPageBytes + 7), std::byte{2});
  EXPECT_EQ(Durable(*file, 5 * kPageBytes + 7), std::byte{1});
  const uint64_t before = device_->flushed_bytes();
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 5 * kPageBytes + 7), std::byte{2});
  EXPECT_EQ(device_->flushed_bytes() - before, kPageBytes);
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(device_->flushed_bytes() - before, kPageBytes) << "nothing was stored meanwhile";
  mapping->bytes()[5 * kPageBytes + 8] = std::byte{3};
  ASSERT_THAT(file->Fsync(ByteRange::All(), SyncKind::kFile), IsOk());
  EXPECT_EQ(Durable(*file, 5 * kPageBytes + 8), std::byte{3});
}

TEST_F(HostMappingTest, HolesReadAsZerosAndAreAllocatedByStores) {
  const auto file = MakeFile("f", 16, 0);
  const auto mapping = Mapped(file);
  EXPECT_EQ(mapping->bytes()[3 * kPageBytes], std::byte{0});
  EXPECT_EQ(file->attributes()->blocks_512, 0);
  mapping->bytes()[3 * kPageBytes + 1] = std::byte{9};
  EXPECT_EQ(file->attributes()->blocks_512, kPageBytes / 512);
  EXPECT_EQ(mapping->bytes()[3 * kPageBytes], std::byte{0});
  mapping->bytes()[4 * kPageBytes + 1] = std::byte{8};  // with no load before it
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 3 * kPageBytes + 1), std::byte{9});
  EXPECT_EQ(Durable(*file, 4 * kPageBytes + 1), std::byte{8});
}

TEST_F(HostMappingTest, AliasesAndWritesSeeEachOther) {
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
  EXPECT_EQ(one->bytes()[2 * kPageBytes], std::byte{3});
  EXPECT_EQ(other->bytes()[2 * kPageBytes], std::byte{3});
  other->bytes()[2 * kPageBytes + 1] = std::byte{4};
  ASSERT_THAT(one->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 2 * kPageBytes + 1), std::byte{4});
}

TEST_F(HostMappingTest, PunchedPagesAreZerosAndComeBack) {
  const auto file = MakeFile("f", 8, 5);
  const auto mapping = Mapped(file);
  mapping->bytes()[2 * kPageBytes] = std::byte{6};
  ASSERT_THAT(file->Fallocate(FallocateMode::kPunchHole, {2 * kPageBytes, kPageBytes}), IsOk());
  EXPECT_EQ(mapping->bytes()[2 * kPageBytes], std::byte{0});
  EXPECT_EQ(mapping->bytes()[3 * kPageBytes], std::byte{5});
  mapping->bytes()[2 * kPageBytes + 1] = std::byte{7};
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 2 * kPageBytes + 1), std::byte{7});
}

TEST_F(HostMappingTest, ShiftsCarryWhatWasStored) {
  const auto file = MakeFile("f", 8, 5);
  const auto mapping = Mapped(file);
  mapping->bytes()[3 * kPageBytes + 1] = std::byte{6};
  ASSERT_THAT(file->Fallocate(FallocateMode::kCollapseRange, {0, kPageBytes}), IsOk());
  EXPECT_EQ(mapping->bytes()[2 * kPageBytes + 1], std::byte{6});
  mapping->bytes()[2 * kPageBytes + 2] = std::byte{7};
  ASSERT_THAT(file->Fallocate(FallocateMode::kInsertRange, {kPageBytes, 2 * kPageBytes}), IsOk());
  EXPECT_EQ(mapping->bytes()[4 * kPageBytes + 1], std::byte{6});
  EXPECT_EQ(mapping->bytes()[4 * kPageBytes + 2], std::byte{7});
  EXPECT_EQ(mapping->bytes()[kPageBytes], std::byte{0});
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, 4 * kPageBytes + 2), std::byte{7});
}

TEST_F(HostMappingTest, AStoreToAClonesSourceChangesTheSourceAlone) {
  const auto source = MakeFile("s", 4, 1);
  const auto clone = MakeFile("c", 4, 0);
  const auto mapping = Mapped(source);
  const auto cloned = Mapped(clone);
  mapping->bytes()[0] = std::byte{2};
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, 4 * kPageBytes}), IsOk());
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

TEST_F(HostMappingTest, SystemCallsStoreIntoIt) {
  const auto file = MakeFile("f", 8, 0);
  ASSERT_THAT(dax::Write(*file, 0, Bytes(kPageBytes, 1)), IsOk());
  const auto mapping = Mapped(file);
  std::array<int, 2> ends = {};
  ASSERT_EQ(pipe(ends.data()), 0);
  const std::vector<std::byte> bytes = Bytes(2 * kPageBytes, 7);
  ASSERT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  // The first page has a block, the second is a hole.
  ASSERT_EQ(read(ends[0], mapping->bytes().data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  close(ends[0]);
  close(ends[1]);
  ASSERT_THAT(mapping->Fsync(), IsOk());
  EXPECT_EQ(Durable(*file, kPageBytes - 1), std::byte{7});
  EXPECT_EQ(Durable(*file, 2 * kPageBytes - 1), std::byte{7});
}

sigjmp_buf after_signal;

void JumpOut(int /*signal*/) { siglongjmp(after_signal, 1); }

// True when a load ends in SIGBUS.
bool LoadEndsInSigbus(const std::byte* byte) {
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = &JumpOut;
  sigaction(SIGBUS, &action, &before);
  const bool ended = sigsetjmp(after_signal, 1) != 0;
  if (!ended) {
    static_cast<void>(*const_cast<const volatile std::byte*>(byte));
  }
  sigaction(SIGBUS, &before, nullptr);
  return ended;
}

TEST_F(HostMappingTest, PagesPastTheEndOfFileEndInSigbus) {
  const auto file = MakeFile("f", 4, 1);
  auto made = HostMapping::Make(file, {.bytes = 16 * kPageBytes});
  ASSERT_THAT(made, IsOk());
  const std::byte* const bytes = (*made)->bytes().data();
  EXPECT_FALSE(LoadEndsInSigbus(bytes + 3 * kPageBytes));
  EXPECT_TRUE(LoadEndsInSigbus(bytes + 4 * kPageBytes));
  EXPECT_THAT((*made)->last_error(), StatusIs(absl::StatusCode::kOutOfRange));
  ASSERT_THAT(file->SetSize(6 * kPageBytes), IsOk());
  EXPECT_FALSE(LoadEndsInSigbus(bytes + 4 * kPageBytes));
  EXPECT_TRUE(LoadEndsInSigbus(bytes + 6 * kPageBytes));
  ASSERT_THAT(dax::Write(*file, 6 * kPageBytes, Bytes(10, 1)), IsOk());
  EXPECT_FALSE(LoadEndsInSigbus(bytes + 6 * kPageBytes));
  ASSERT_THAT(file->SetSize(2 * kPageBytes), IsOk());
  EXPECT_TRUE(LoadEndsInSigbus(bytes + 2 * kPageBytes));
  EXPECT_FALSE(LoadEndsInSigbus(bytes + kPageBytes));
}

TEST_F(HostMappingTest, ADeviceThatCannotBeMappedIsRefused) {
  DeviceSet devices;
  devices.push_back(std::make_unique<MemoryDevice>(std::vector<std::byte>(1 << 20)));
  const auto ram = *ram::Filesystem::Make(std::move(devices));
  const auto file = *ram->OpenFile(*ram->Create(ram->root(), "f", S_IFREG | 0644));
  ASSERT_THAT(dax::Write(*file, 0, Bytes(10, 1)), IsOk());
  EXPECT_THAT(HostMapping::Make(file, {}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(HostMapping::Make(file, {.bytes = ~uint64_t{0}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace iomap::dax
