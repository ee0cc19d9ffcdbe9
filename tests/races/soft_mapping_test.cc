#include "dax/soft_mapping.h"

#include <sys/stat.h>

#include <memory>
#include <vector>

#include "backends/ram/filesystem.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/recording_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/support/bytes.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

class SoftMappings : public testing::Test {
 protected:
  SoftMappings() {
    auto device = std::make_unique<RecordingDevice>(
        std::make_unique<MemoryDevice>(std::vector<std::byte>(8 << 20)));
    device_ = device.get();
    DeviceSet devices;
    devices.push_back(std::move(device));
    filesystem_ = *ram::Filesystem::Make(std::move(devices));
  }

  std::shared_ptr<File> MakeFile(const char* name, uint64_t size) {
    auto file =
        *filesystem_->OpenFile(*filesystem_->Create(filesystem_->root(), name, S_IFREG | 0644));
    EXPECT_THAT(file->SetSize(size), IsOk());
    return file;
  }

  static std::vector<std::byte> Loaded(SoftMapping& mapping, uint64_t offset, size_t count) {
    std::vector<std::byte> bytes(count);
    EXPECT_THAT(mapping.Load(offset, absl::MakeSpan(bytes)), IsOk());
    return bytes;
  }

  size_t Flushes() const {
    size_t flushes = 0;
    for (const DeviceEvent& event : device_->trace()) {
      flushes += event.kind == DeviceEvent::Kind::kFlush ? 1 : 0;
    }
    return flushes;
  }

  RecordingDevice* device_;
  std::unique_ptr<ram::Filesystem> filesystem_;
};

TEST_F(SoftMappings, LoadZerosFromHolesAndSeeWhatAliasesStore) {
  const auto file = MakeFile("f", 3 * kPageBytes);
  SoftMapping one(file);
  SoftMapping other(file);
  EXPECT_EQ(Loaded(one, 100, 5000), Bytes(5000, 0));
  ASSERT_THAT(other.Store(4000, Bytes(200, 7)), IsOk());
  EXPECT_EQ(Loaded(one, 4000, 200), Bytes(200, 7));
}

TEST_F(SoftMappings, EndWithThePageOfTheEndOfFile) {
  const auto file = MakeFile("f", 100);
  SoftMapping mapping(file);
  EXPECT_THAT(mapping.Store(200, Bytes(8, 1)), IsOk());
  EXPECT_THAT(mapping.Store(kPageBytes, Bytes(8, 1)), StatusIs(absl::StatusCode::kOutOfRange));
  std::vector<std::byte> two_pages(2);
  EXPECT_THAT(mapping.Load(kPageBytes - 1, absl::MakeSpan(two_pages)),
              StatusIs(absl::StatusCode::kOutOfRange));
  // What was stored past the end is nobody's when the file grows over it.
  ASSERT_THAT(file->SetSize(1000), IsOk());
  EXPECT_EQ(Loaded(mapping, 200, 8), Bytes(8, 0));
}

TEST_F(SoftMappings, UseHugePagesWhereTheExtentAllows) {
  const auto file = MakeFile("f", 2 * kHugePageBytes);
  SoftMapping mapping(file, {.largest_page = PageSize::kHuge});
  ASSERT_THAT(mapping.Store(12345, Bytes(8, 1)), IsOk());
  const auto extent = FirstMapping(*file, &iomap::File::MapForRead, {0, kHugePageBytes});
  EXPECT_EQ(extent->length, kHugePageBytes);
  EXPECT_EQ(extent->address % kHugePageBytes, 0);
  ASSERT_THAT(mapping.Fsync(), IsOk());
  EXPECT_EQ(file->address_space().flushed_entries(), 1);
  // A base page of an alias is a part of the huge entry.
  SoftMapping alias(file);
  ASSERT_THAT(alias.Store(kPageBytes, Bytes(8, 2)), IsOk());
  EXPECT_EQ(Loaded(mapping, kPageBytes, 8), Bytes(8, 2));
  EXPECT_TRUE(file->address_space().MayBeDirty());
}

TEST_F(SoftMappings, FlushContiguousDirtyPagesAsOneAndNothingElse) {
  const auto file = MakeFile("f", 100 * kPageBytes);
  ASSERT_THAT(dax::Write(*file, 0, Bytes(100 * kPageBytes, 1)), IsOk());
  SoftMapping mapping(file);
  for (const uint64_t page : {10, 11, 12, 40, 41}) {
    ASSERT_THAT(mapping.Store(page * kPageBytes, Bytes(8, 2)), IsOk());
  }
  const size_t flushes = Flushes();
  ASSERT_THAT(mapping.Fsync(), IsOk());
  EXPECT_EQ(Flushes() - flushes, 2);
  uint64_t flushed_bytes = 0;
  for (const DeviceEvent& event : device_->trace()) {
    flushed_bytes += event.kind == DeviceEvent::Kind::kFlush ? event.range.length : 0;
  }
  EXPECT_EQ(flushed_bytes, 5 * kPageBytes);
  ASSERT_THAT(mapping.Fsync(), IsOk());
  EXPECT_EQ(Flushes() - flushes, 2) << "nothing is dirty";
}

TEST_F(SoftMappings, FlushTheRangeOfAnMsyncAlone) {
  const auto file = MakeFile("f", 4 * kPageBytes);
  SoftMapping mapping(file);
  ASSERT_THAT(mapping.Store(0, Bytes(8, 1)), IsOk());
  ASSERT_THAT(mapping.Store(2 * kPageBytes, Bytes(8, 1)), IsOk());
  ASSERT_THAT(mapping.Msync({2 * kPageBytes, 1}), IsOk());
  EXPECT_EQ(file->address_space().flushed_entries(), 1);
  EXPECT_TRUE(file->address_space().MayBeDirty());
}

TEST_F(SoftMappings, ShowTheNewBytesOfACopyOnWriteEverywhere) {
  const auto source = MakeFile("s", kPageBytes);
  ASSERT_THAT(dax::Write(*source, 0, Bytes(kPageBytes, 1)), IsOk());
  const auto clone = MakeFile("c", kPageBytes);
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, kPageBytes}), IsOk());
  SoftMapping one(clone);
  SoftMapping other(clone);
  SoftMapping of_source(source);
  EXPECT_EQ(Loaded(other, 0, 8), Bytes(8, 1));
  ASSERT_THAT(one.Store(0, Bytes(8, 2)), IsOk());
  EXPECT_EQ(Loaded(other, 0, 16), [] {
    std::vector<std::byte> expected = Bytes(16, 1);
    std::fill_n(expected.begin(), 8, std::byte{2});
    return expected;
  }());
  EXPECT_EQ(Loaded(of_source, 0, 8), Bytes(8, 1));
}

TEST_F(SoftMappings, KeepAStoreToTheSourceOutOfTheClone) {
  const auto source = MakeFile("s", kPageBytes);
  SoftMapping of_source(source);
  ASSERT_THAT(of_source.Store(0, Bytes(8, 1)), IsOk());
  const auto clone = MakeFile("c", kPageBytes);
  ASSERT_THAT(clone->CloneRange(*source, 0, {0, kPageBytes}), IsOk());
  ASSERT_THAT(of_source.Store(0, Bytes(8, 2)), IsOk());
  std::vector<std::byte> read(8);
  EXPECT_EQ(*dax::Read(*clone, 0, absl::MakeSpan(read)), 8);
  EXPECT_EQ(read, Bytes(8, 1));
}

// A file whose metadata is durable when it is committed, and not before.
class FileWithCommits : public ram::File {
 public:
  using ram::File::File;

  void Watch(SoftPageTable* table) { table_ = table; }
  int commits() const { return commits_; }
  bool was_reachable() const { return was_reachable_; }

 protected:
  uint64_t LatestChange(SyncKind /*kind*/) override { return 1; }
  absl::Status CommitUpTo(uint64_t /*change*/) override {
    ++commits_;
    std::byte byte;
    was_reachable_ |= table_->Load(0, absl::MakeSpan(&byte, 1));
    return absl::OkStatus();
  }

 private:
  SoftPageTable* table_ = nullptr;
  int commits_ = 0;
  bool was_reachable_ = false;
};

TEST(MapSyncFault, CommitsBeforeThePageCanBeReached) {
  DeviceSet devices;
  devices.push_back(std::make_unique<MemoryDevice>(std::vector<std::byte>(16 * kPageBytes)));
  ram::Blocks blocks(devices[0]->size());
  for (const MapSync sync : {MapSync::kNo, MapSync::kYes}) {
    FileWithCommits file(std::make_shared<ram::Inode>(2, S_IFREG | 0644, &blocks, 0), devices,
                         FileOptions());
    ASSERT_THAT(file.SetSize(kPageBytes), IsOk());
    SoftPageTable table(PageSize::kBase);
    file.Watch(&table);
    file.address_space().Attach(&table);
    ASSERT_THAT(file.address_space().Fault(file, table, 0, Access::kWrite, sync), IsOk());
    EXPECT_EQ(file.commits(), sync == MapSync::kYes ? 1 : 0);
    EXPECT_FALSE(file.was_reachable());
    EXPECT_TRUE(table.Store(0, Bytes(1, 1)));
    file.address_space().Detach(&table);
  }
}

TEST_F(SoftMappings, SyncAFileWithItsLastClose) {
  auto file = MakeFile("f", kPageBytes);
  {
    SoftMapping mapping(file);
    ASSERT_THAT(mapping.Store(0, Bytes(8, 1)), IsOk());
  }
  const uint64_t address = MappingAt(*file, &iomap::File::MapForRead, 0)->address;
  EXPECT_EQ(device_->now().PossibleWords(address).size(), 2);
  file.reset();
  EXPECT_EQ(device_->now().PossibleWords(address).size(), 1);
}

TEST_F(SoftMappings, FlushWhatIsStoredThroughAMappingWithASynchronousWrite) {
  const auto file = MakeFile("f", kPageBytes);
  SoftMapping mapping(file);
  ASSERT_THAT(mapping.Store(0, Bytes(8, 1)), IsOk());
  ASSERT_THAT(dax::Write(*file, 64, Bytes(64, 2), WriteSync::kData), IsOk());
  EXPECT_FALSE(file->address_space().MayBeDirty());
}

}  // namespace
}  // namespace iomap::dax
