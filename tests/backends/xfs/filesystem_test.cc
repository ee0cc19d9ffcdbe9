#include "backends/xfs/filesystem.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/format.h"
#include "backends/xfs/log_format.h"
#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using backends::DirtyJournal;
using testing::AllOf;
using testing::HasSubstr;
using tests::IsOk;
using tests::ProtoDirectory;
using tests::StatusIs;
using tests::XfsImage;

constexpr char kFile[] = "file ---640 7 8 /dev/null\n";
constexpr uint64_t kBlock = 4096;

TEST(XfsFilesystem, IsRecognisedByItsMagicNumber) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  const auto device = [&] {
    return dax::MemoryDevice(
        std::vector<std::byte>(image->bytes().begin(), image->bytes().begin() + 512));
  };
  EXPECT_TRUE(Recognises(device()));
  image->Flip(0);
  EXPECT_FALSE(Recognises(device()));
  EXPECT_FALSE(Recognises(dax::MemoryDevice({})));
}

TEST(XfsFilesystem, DescribesItself) {
  const auto image =
      XfsImage::Make({"-L", "name", "-m", "uuid=01234567-89ab-cdef-0123-456789abcdef"});
  ASSERT_THAT(image, IsOk());
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto info = (*filesystem)->info();
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->backend, "xfs");
  EXPECT_EQ(info->block_size, kBlock);
  EXPECT_EQ(info->size_bytes, uint64_t{32} << 20);
  EXPECT_LT(info->free_bytes, info->size_bytes);
  EXPECT_EQ(info->uuid, "01234567-89ab-cdef-0123-456789abcdef");
  EXPECT_EQ(info->label, "name");
  EXPECT_EQ(info->journal, JournalState::kClean);
  EXPECT_TRUE(HasCapability(info->capabilities, Capability::kReport));
}

TEST(XfsFilesystem, ReadsWhatStatSays) {
  for (const char* crc : {"crc=0", "crc=1"}) {
    const auto image = XfsImage::Make({"-m", crc}, kFile);
    ASSERT_THAT(image, IsOk());
    const auto filesystem = image->Open();
    ASSERT_THAT(filesystem, IsOk());
    const auto inode = ResolvePath(**filesystem, "/file", LastLink::kKeep);
    ASSERT_THAT(inode, IsOk());
    const auto file = (*filesystem)->OpenFile(*inode);
    ASSERT_THAT(file, IsOk());
    const Attributes attributes = (*file)->attributes().value_or(Attributes{});
    EXPECT_EQ(attributes.inode, *inode);
    EXPECT_EQ(attributes.mode, 0100640u);
    EXPECT_EQ(attributes.uid, 7u);
    EXPECT_EQ(attributes.gid, 8u);
    EXPECT_EQ(attributes.link_count, 1u);
    EXPECT_GT(attributes.modification_time.seconds, 1'500'000'000);
  }
}

TEST(XfsFilesystem, CountsLinksOfVersion1InodesWhereTheyWereCounted) {
  auto image = XfsImage::Make({"-m", "crc=0"}, kFile);
  ASSERT_THAT(image, IsOk());
  const InodeNumber root = image->superblock().root_inode;
  const uint64_t address = image->superblock().AddressOfInode(root);
  image->Put(address + offsetof(DiskInode, version), 1, 1);
  image->Put(address + offsetof(DiskInode, link_count_v1), 5, 2);
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto file = (*filesystem)->OpenFile(root);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->attributes()->link_count, 5u);
}

TEST(XfsFilesystem, CountsTimeFrom1901WithBigtime) {
  auto image = XfsImage::Make({"-m", "bigtime=1"});
  ASSERT_THAT(image, IsOk());
  const InodeNumber root = image->superblock().root_inode;
  image->Put(image->superblock().AddressOfInode(root) + offsetof(DiskInode, change_time),
             (uint64_t{1} << 31) * 1'000'000'000 + 5'000'000'007, 8);
  image->FixInode(root);
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto file = (*filesystem)->OpenFile(root);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->attributes()->change_time, (Timestamp{5, 7}));
}

TEST(XfsFilesystem, CountsSharedBlocksOnceForEachPlace) {
  auto image = XfsImage::Make({}, kFile);
  ASSERT_THAT(image, IsOk());
  const InodeNumber root = image->superblock().root_inode;
  const uint64_t blocks =
      image->superblock().AddressOfInode(root) + offsetof(DiskInode, block_count);
  const auto blocks_512 = [&]() -> absl::StatusOr<uint64_t> {
    image->FixInode(root);
    IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image->Open());
    IOMAP_ASSIGN_OR_RETURN(const auto file, filesystem->OpenFile(root));
    IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
    return attributes.blocks_512;
  };
  image->Put(blocks, uint64_t{1} << 40, 8);  // of 8192 on the device
  EXPECT_EQ(blocks_512().value_or(0), uint64_t{8} << 40);
  image->Put(blocks, uint64_t{1} << 62, 8);
  EXPECT_THAT(blocks_512(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(XfsFilesystem, OpensAnInodeTwiceAsOneFile) {
  const auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto first = (*filesystem)->OpenFile((*filesystem)->root());
  const auto second = (*filesystem)->OpenFile((*filesystem)->root());
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(*first, *second);
}

TEST(XfsFilesystem, DoesNotFindInodesThatAreNotAllocated) {
  const auto image = XfsImage::Make({}, kFile);
  ASSERT_THAT(image, IsOk());
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const InodeNumber root = (*filesystem)->root();
  // Free in the root's own chunk, in no chunk, in a group's headers, in no group.
  for (const InodeNumber inode :
       {root + 60, root + 4096, InodeNumber{0}, InodeNumber{1} << 40, ~InodeNumber{0}}) {
    EXPECT_THAT((*filesystem)->OpenFile(inode), StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST(XfsFilesystem, RefusesADamagedInode) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  const InodeNumber root = image->superblock().root_inode;
  image->Flip(image->superblock().AddressOfInode(root) + offsetof(DiskInode, uid));
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_THAT((*filesystem)->OpenFile(root),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")));
}

TEST(XfsFilesystem, RefusesADamagedInodeIndex) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  image->Flip(image->superblock().AddressOfHeader(0, 2) + offsetof(DiskAgi, newest_inode));
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_THAT((*filesystem)->OpenFile((*filesystem)->root()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("AGI of allocation group 0")));
}

TEST(XfsFilesystem, TellsKindsOfInodesApart) {
  const auto image = XfsImage::Make({}, "file ---640 7 8 /dev/null\nlink l--777 0 0 file\n");
  ASSERT_THAT(image, IsOk());
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto inode = ResolvePath(**filesystem, "/file", LastLink::kKeep);
  ASSERT_THAT(inode, IsOk());
  EXPECT_THAT((*filesystem)->ReadLink(*inode), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT((*filesystem)->LookUp(*inode, "a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT((*filesystem)->ReadDirectory(*inode, 0, [](const DirectoryEntry&) { return true; }),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(XfsFilesystem, MapsALocalForkInline) {
  const std::string target(50, 't');
  const auto image = XfsImage::Make({}, "link l--777 0 0 " + target + "\n");
  ASSERT_THAT(image, IsOk());
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto inode = ResolvePath(**filesystem, "/link", LastLink::kKeep);
  ASSERT_THAT(inode, IsOk());
  const auto file = (*filesystem)->OpenFile(*inode);
  ASSERT_THAT(file, IsOk());
  const auto mapping = MappingAt(**file, &File::MapForRead, 0);
  ASSERT_THAT(mapping, IsOk());
  EXPECT_EQ(*mapping, (Mapping{.length = 50, .type = MappingType::kInline}));
  std::vector<std::byte> bytes(10);
  EXPECT_THAT((*file)->ReadInline(40, absl::MakeSpan(bytes)), IsOk());
  EXPECT_EQ(bytes.back(), std::byte{'t'});
  EXPECT_THAT((*file)->ReadInline(41, absl::MakeSpan(bytes)),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(XfsFilesystem, CarriesItsOldUuidInItsBlocksAfterANewOne) {
  auto image = XfsImage::Make({}, kFile);
  ASSERT_THAT(image, IsOk());
  for (size_t i = 0; i < sizeof(Uuid); ++i) {
    image->Put(offsetof(DiskSuperblock, meta_uuid) + i, image->superblock().uuid[i], 1);
    image->Put(offsetof(DiskSuperblock, uuid) + i, i, 1);
  }
  const size_t place = offsetof(DiskSuperblock, incompat_features);
  image->Put(place, image->Get(place, 4) | kIncompatMetaUuid, 4);
  image->FixSuperblock();
  // Log records carry the new one; what was logged under the old one has been dropped.
  const Superblock& superblock = image->superblock();
  std::fill_n(image->bytes().begin() +
                  static_cast<ptrdiff_t>(superblock.AddressOfBlock(superblock.log_start)),
              size_t{superblock.log_blocks} * kBlock, std::byte{0});
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_THAT(ResolvePath(**filesystem, "/file", LastLink::kKeep), IsOk());
  EXPECT_EQ((*filesystem)->info()->uuid, "00010203-0405-0607-0809-0a0b0c0d0e0f");
}

TEST(XfsFilesystem, RefusesADirtyLogThatCannotBeReplayedUnlessToldToIgnoreIt) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  const Superblock& superblock = image->superblock();
  const uint64_t record = superblock.AddressOfBlock(superblock.log_start);
  image->Put(record + kBasicBlockSize + offsetof(DiskLogOperation, flags), 0, 1);
  EXPECT_THAT(image->Open(), StatusIs(absl::StatusCode::kDataLoss,
                                      AllOf(HasSubstr("record at block 0: no checksum"),
                                            HasSubstr("--no-replay"))));
  const auto filesystem = image->Open({.dirty_journal = DirtyJournal::kIgnore});
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info()->journal, JournalState::kDirty);
}

TEST(XfsFilesystem, CannotLookAtAnExternalLog) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  image->Put(offsetof(DiskSuperblock, log_start), 0, 8);
  image->FixSuperblock();
  EXPECT_THAT(image->Open(), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("--no-replay")));
  const auto filesystem = image->Open({.dirty_journal = DirtyJournal::kIgnore});
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info()->journal, JournalState::kExternal);
}

// A file whose blocks lie on a realtime device of 100 blocks.
class XfsRealtime : public testing::Test {
 protected:
  static constexpr uint64_t kRealtimeBlocks = 100;

  void SetUp() override {
    absl::StatusOr<XfsImage> made = XfsImage::Make({"-m", "reflink=0"}, kFile);
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    image_->Put(offsetof(DiskSuperblock, realtime_blocks), kRealtimeBlocks, 8);
    image_->FixSuperblock();
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    inode_ = ResolvePath(**filesystem, "/file", LastLink::kKeep).value_or(0);
    image_->Put(image_->superblock().AddressOfInode(inode_) + offsetof(DiskInode, flags),
                kInodeFlagRealtime, 2);
    PutExtent({.file_block = 1, .start_block = 90, .block_count = 10});
  }

  void PutExtent(const Extent& extent) { image_->SetExtents(inode_, {{extent}}); }

  absl::StatusOr<Mapping> MappingOfBlock1(size_t realtime_bytes) const {
    IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image_->Open({}, realtime_bytes));
    IOMAP_ASSIGN_OR_RETURN(const auto file, filesystem->OpenFile(inode_));
    return MappingAt(*file, &File::MapForReport, kBlock);
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber inode_ = 0;
};

TEST_F(XfsRealtime, MapsToTheSecondDevice) {
  const auto mapping = MappingOfBlock1(kRealtimeBlocks * kBlock);
  ASSERT_THAT(mapping, IsOk());
  EXPECT_EQ(*mapping, (Mapping{.offset = kBlock,
                               .length = 10 * kBlock,
                               .address = 90 * kBlock,
                               .type = MappingType::kMapped,
                               .device = 1}));
}

TEST_F(XfsRealtime, IsRefusedFileByFileWithoutTheDevice) {
  EXPECT_THAT(MappingOfBlock1(0),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--rtdev")));
}

TEST_F(XfsRealtime, RefusesATruncatedDevice) {
  EXPECT_THAT(MappingOfBlock1(kRealtimeBlocks * kBlock - 1),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("realtime device")));
}

TEST_F(XfsRealtime, RefusesAnExtentPastTheDevice) {
  PutExtent({.file_block = 1, .start_block = 91, .block_count = 10});
  EXPECT_THAT(MappingOfBlock1(kRealtimeBlocks * kBlock),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("do not exist")));
}

TEST(XfsFilesystem, AnswersManyThreadsAtOnce) {
  const auto image = XfsImage::Make({"-b", "size=1024"}, ProtoDirectory("dir", 500, "file"));
  ASSERT_THAT(image, IsOk());
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto directory = ResolvePath(**filesystem, "/dir", LastLink::kKeep);
  ASSERT_THAT(directory, IsOk());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = thread; i < 500; i += 3) {
        const auto inode = (*filesystem)->LookUp(*directory, absl::StrCat("file-", i));
        EXPECT_THAT(inode, IsOk());
        EXPECT_THAT((*filesystem)->OpenFile(*inode), IsOk());
      }
      const auto file = (*filesystem)->OpenFile(*directory);
      EXPECT_THAT(ForEachMapping(**file, &File::MapForReport, ByteRange::All(),
                                 [](const Mapping&, const ByteRange&) { return Walk::kContinue; }),
                  IsOk());
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace iomap::xfs
