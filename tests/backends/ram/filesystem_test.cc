#include "backends/ram/filesystem.h"

#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "dax/io.h"
#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/path.h"
#include "tests/support/bytes.h"
#include "tests/support/status_matchers.h"

namespace iomap::ram {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;
using ::testing::ElementsAre;

std::unique_ptr<Filesystem> MakeRam(size_t device_bytes = 1 << 20) {
  dax::DeviceSet devices;
  devices.push_back(std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(device_bytes)));
  return *Filesystem::Make(std::move(devices));
}

TEST(RamFilesystem, FindsWhatItHasCreated) {
  const auto ram = MakeRam();
  const InodeNumber directory = *ram->Create(ram->root(), "d", S_IFDIR | 0755);
  const InodeNumber file = *ram->Create(directory, "f", S_IFREG | 0644);
  ASSERT_THAT(ram->MakeSymbolicLink(ram->root(), "l", "d/f"), IsOk());
  EXPECT_EQ(*ram->LookUp(directory, "f"), file);
  EXPECT_EQ(*ram->LookUp(directory, ".."), ram->root());
  EXPECT_EQ(*ram->ReadLink(*ram->LookUp(ram->root(), "l")), "d/f");
  std::vector<std::string> names;
  ASSERT_THAT(ram->ReadDirectory(ram->root(), 0,
                                 [&](const DirectoryEntry& entry) {
                                   names.emplace_back(entry.name);
                                   return true;
                                 }),
              IsOk());
  EXPECT_THAT(names, ElementsAre("d", "l"));
}

TEST(RamFilesystem, RefusesWhatLinuxRefuses) {
  const auto ram = MakeRam();
  ASSERT_THAT(ram->Create(ram->root(), "f", S_IFREG | 0644), IsOk());
  EXPECT_THAT(ram->Create(ram->root(), "f", S_IFREG | 0644),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(ram->Create(ram->root(), "a/b", S_IFREG | 0644),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ram->LookUp(ram->root(), "g"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ram->Unlink(ram->root(), "g"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(ram->Create(ram->root(), "d", S_IFDIR | 0755), IsOk());
  ASSERT_THAT(ram->Create(*ram->LookUp(ram->root(), "d"), "f", S_IFREG | 0644), IsOk());
  EXPECT_THAT(ram->Unlink(ram->root(), "d"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Filesystem::Make({}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(RamFilesystem, GivesBlocksBackWithTheLastHolder) {
  const auto ram = MakeRam();
  const uint64_t free_bytes = ram->info()->free_bytes;
  auto file = *ram->OpenFile(*ram->Create(ram->root(), "f", S_IFREG | 0644));
  ASSERT_THAT(dax::Write(*file, 0, Bytes(10'000, 1)), IsOk());
  EXPECT_EQ(ram->info()->free_bytes, free_bytes - 3 * kBlockBytes);
  ASSERT_THAT(ram->Unlink(ram->root(), "f"), IsOk());
  std::vector<std::byte> read(10'000);
  EXPECT_EQ(*dax::Read(*file, 0, absl::MakeSpan(read)), 10'000);
  EXPECT_EQ(read, Bytes(10'000, 1));
  file.reset();
  EXPECT_EQ(ram->info()->free_bytes, free_bytes);
}

TEST(RamFilesystem, LeavesNoTraceOfAnAllocationThatDoesNotFit) {
  const auto ram = MakeRam(64 * kBlockBytes);
  const auto file = *ram->OpenFile(*ram->Create(ram->root(), "f", S_IFREG | 0644));
  const uint64_t free_bytes = ram->info()->free_bytes;
  EXPECT_THAT(file->Fallocate(FallocateMode::kAllocate, {0, 65 * kBlockBytes}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(ram->info()->free_bytes, free_bytes);
  EXPECT_EQ(file->attributes()->size, 0);
  ASSERT_THAT(file->Fallocate(FallocateMode::kAllocate, {0, 64 * kBlockBytes}), IsOk());
  EXPECT_EQ(ram->info()->free_bytes, 0);
}

TEST(RamFilesystem, MovesInlineDataOutWhenItIsWritten) {
  const auto ram = MakeRam();
  const auto file = *ram->OpenFile(*ram->CreateInline(ram->root(), "f", Bytes(100, 7)));
  std::vector<Mapping> mapping(1);
  ASSERT_EQ(*file->MapForRead({0, 100}, absl::MakeSpan(mapping)), 1);
  EXPECT_EQ(mapping[0].type, MappingType::kInline);
  ASSERT_THAT(dax::Write(*file, 50, Bytes(100, 8)), IsOk());
  std::vector<std::byte> expected = Bytes(150, 7);
  std::fill(expected.begin() + 50, expected.end(), std::byte{8});
  std::vector<std::byte> read(150);
  EXPECT_EQ(*dax::Read(*file, 0, absl::MakeSpan(read)), 150);
  EXPECT_EQ(read, expected);
}

}  // namespace
}  // namespace iomap::ram
