#include "backends/xfs/log_intents.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"
#include "tests/backends/xfs/log_builder.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::IntentItem;
using tests::IsOk;
using tests::Item;
using tests::LogBuilder;
using tests::MappedAt;
using tests::Region;
using tests::StatusIs;
using tests::UnwrittenAt;
using tests::XfsImage;

constexpr uint64_t kBlock = 4096;

// The file "file" with 8 blocks from file block 10 on, which may be shared, and "other", empty.
class XfsIntents : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<XfsImage> made = XfsImage::Make(
        {"-m", "reflink=1"}, "file ---644 0 0 /dev/null\nother ---644 0 0 /dev/null\n");
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    file_ = (*filesystem)->LookUp((*filesystem)->root(), "file").value();
    other_ = (*filesystem)->LookUp((*filesystem)->root(), "other").value();
    const uint64_t address = image_->superblock().AddressOfInode(file_);
    image_->Put(address + offsetof(DiskInode, flags2),
                image_->Get(address + offsetof(DiskInode, flags2), 8) | kInodeFlag2Reflink, 8);
    image_->Put(address + offsetof(DiskInode, block_count), 8, 8);
    const Extent extent = {.file_block = 10, .start_block = FreeBlock(0), .block_count = 8};
    image_->SetExtents(file_, {&extent, 1});
  }

  uint64_t FreeBlock(uint32_t number) const {
    const Superblock& superblock = image_->superblock();
    return superblock.FsBlock(superblock.AgOfBlock(superblock.log_start) == 0 ? 1 : 0,
                              500 + number);
  }
  uint64_t FreeAddress(uint32_t number) const {
    return image_->superblock().AddressOfBlock(FreeBlock(number));
  }

  static Region MapExtent(InodeNumber owner, const Extent& extent, uint32_t flags) {
    Region region;
    region.Add(owner, 8).Add(extent.start_block, 8).Add(extent.file_block, 8);
    return region.Add(extent.block_count, 4).Add(flags, 4);
  }
  static Item Mapping(uint64_t id, InodeNumber owner, const Extent& extent, uint32_t flags) {
    return IntentItem(LogItemType::kMappingIntent, id, MapExtent(owner, extent, flags), 1);
  }
  static Item Done(LogItemType type, uint64_t id) { return IntentItem(type, id, Region(), 0); }
  Item Refcount(uint64_t id, uint32_t block, uint32_t count, uint32_t flags) const {
    Region region;
    region.Add(FreeBlock(block), 8).Add(count, 4).Add(flags, 4);
    return IntentItem(LogItemType::kRefcountIntent, id, region, 1);
  }

  // Opens the image with a log of `items`, and `file_` in it.
  absl::StatusOr<std::shared_ptr<dax::File>> OpenWith(const std::vector<Item>& items) {
    LogBuilder(*image_).Commit(items);
    actions_.clear();
    IOMAP_ASSIGN_OR_RETURN(filesystem_,
                           image_->Open({.on_replay = [&](const backends::ReplayAction& action) {
                             actions_.push_back(action.what);
                           }}));
    return filesystem_->OpenFile(file_);
  }
  absl::StatusOr<std::vector<iomap::Mapping>> MappingsWith(const std::vector<Item>& items) {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file, OpenWith(items));
    std::vector<iomap::Mapping> mappings;
    IOMAP_RETURN_IF_ERROR(ForEachMapping(*file, &iomap::File::MapForReport, ByteRange::All(),
                                         [&](const iomap::Mapping& mapping, const ByteRange&) {
                                           if (mapping.type != MappingType::kHole) {
                                             mappings.push_back(mapping);
                                           }
                                           return Walk::kContinue;
                                         }));
    return mappings;
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber file_ = 0;
  InodeNumber other_ = 0;
  std::unique_ptr<dax::Filesystem> filesystem_;
  std::vector<std::string> actions_;
};

TEST_F(XfsIntents, TakeBlocksOutOfAFile) {
  const auto mappings = MappingsWith({Mapping(
      1, file_, {.file_block = 12, .start_block = FreeBlock(2), .block_count = 3}, kMappingUnmap)});
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(MappedAt(FreeAddress(0), {10 * kBlock, 2 * kBlock}),
                                     MappedAt(FreeAddress(5), {15 * kBlock, 3 * kBlock})));
  EXPECT_EQ(filesystem_->OpenFile(file_).value()->attributes()->blocks_512, 5 * 8u);
  EXPECT_THAT(actions_, ElementsAre("mapping intent"));
}

TEST_F(XfsIntents, PutBlocksIntoAFile) {
  const auto mappings = MappingsWith(
      {Mapping(1, file_, {.file_block = 10, .start_block = FreeBlock(0), .block_count = 8},
               kMappingUnmap),
       Mapping(2, file_, {.file_block = 10, .start_block = FreeBlock(40), .block_count = 4},
               kMappingMap),
       Mapping(3, file_, {.file_block = 30, .start_block = FreeBlock(60), .block_count = 1},
               kMappingMap | kMappingUnwritten)});
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(MappedAt(FreeAddress(40), {10 * kBlock, 4 * kBlock}),
                                     UnwrittenAt(FreeAddress(60), {30 * kBlock, kBlock})));
}

TEST_F(XfsIntents, ThatAreDoneChangeNothing) {
  const auto mappings = MappingsWith(
      {Mapping(1, file_, {.file_block = 10, .start_block = FreeBlock(0), .block_count = 8},
               kMappingUnmap),
       Refcount(2, 0, 8, kRefcountIncrease), Done(LogItemType::kRefcountDone, 2),
       Done(LogItemType::kMappingDone, 1)});
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(MappedAt(FreeAddress(0), {10 * kBlock, 8 * kBlock})));
  EXPECT_TRUE(actions_.empty());
}

TEST_F(XfsIntents, OfTheAttributeForkAreNotSeen) {
  const auto mappings = MappingsWith(
      {Mapping(1, file_, {.file_block = 10, .start_block = FreeBlock(0), .block_count = 8},
               kMappingUnmap | kMappingAttributeFork)});
  ASSERT_THAT(mappings, IsOk());
  EXPECT_EQ(mappings->size(), 1u);
}

TEST_F(XfsIntents, ShareBlocks) {
  const auto mappings = MappingsWith({Refcount(1, 3, 2, kRefcountIncrease)});
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings,
              ElementsAre(MappedAt(FreeAddress(0), {10 * kBlock, 3 * kBlock}),
                          MappedAt(FreeAddress(3), {13 * kBlock, 2 * kBlock}, MappingFlag::kShared),
                          MappedAt(FreeAddress(5), {15 * kBlock, 3 * kBlock})));
}

TEST_F(XfsIntents, ThatOutweighEachOtherShareNothing) {
  const auto mappings =
      MappingsWith({Refcount(1, 0, 8, kRefcountIncrease), Refcount(2, 0, 8, kRefcountDecrease),
                    Refcount(3, 0, 8, kRefcountFreeStaging)});
  ASSERT_THAT(mappings, IsOk());
  for (const iomap::Mapping& mapping : *mappings) {
    EXPECT_EQ(mapping.flags, MappingFlag::kNone);
  }
}

TEST_F(XfsIntents, ToExchangeBlocksAreRefusedForTheirFilesAlone) {
  Region exchange;
  exchange.Add(file_, 8).Add(99999, 8).Add(0, 48);
  const auto file = OpenWith({IntentItem(LogItemType::kExchangeIntent, 1, exchange, 0)});
  EXPECT_THAT(file,
              StatusIs(absl::StatusCode::kUnimplemented,
                       AllOf(HasSubstr("xfs inode"), HasSubstr("XMI"), HasSubstr("--no-replay"))));
  EXPECT_THAT(filesystem_->OpenFile(other_), IsOk());
}

TEST_F(XfsIntents, ThatNoReaderSeesAreReportedAlone) {
  const auto file = OpenWith({IntentItem(LogItemType::kExtentFreeIntent, 1, Region(16, 1), 1),
                              IntentItem(LogItemType::kReverseMapIntent, 1, Region(32, 1), 1),
                              IntentItem(LogItemType::kAttributeIntent, 1, Region(24, 1), 0)});
  EXPECT_THAT(file, IsOk());
  EXPECT_THAT(actions_,
              ElementsAre("extent free intent", "reverse mapping intent", "attribute intent"));
}

TEST_F(XfsIntents, OfBlocksThatDoNotExistAreRefused) {
  Region region;
  region.Add(uint64_t{1} << 50, 8).Add(1, 4).Add(kRefcountIncrease, 4);
  EXPECT_THAT(OpenWith({IntentItem(LogItemType::kRefcountIntent, 1, region, 1)}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("reference count intent")));
}

TEST_F(XfsIntents, OfMoreExtentsThanTheyHaveAreRefused) {
  EXPECT_THAT(OpenWith({IntentItem(LogItemType::kMappingIntent, 1, Region(32, 1), 0xFFFFFFFF)}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("4294967295 extents")));
}

// A mount frees them; what they shared with others is shared no more.
TEST_F(XfsIntents, OfInodesWithoutANameEndTheirShares) {
  const uint64_t address = image_->superblock().AddressOfInode(other_);
  image_->Put(address + offsetof(DiskInode, flags2),
              image_->Get(address + offsetof(DiskInode, flags2), 8) | kInodeFlag2Reflink, 8);
  image_->Put(address + offsetof(DiskInode, link_count), 0, 4);
  const Extent extent = {.file_block = 0, .start_block = FreeBlock(2), .block_count = 3};
  image_->SetExtents(other_, {&extent, 1});
  const uint64_t agi = 2 * image_->superblock().sector_size;
  image_->Put(agi + offsetof(DiskAgi, unlinked), other_, 4);
  image_->FixChecksum(agi, image_->superblock().sector_size, offsetof(DiskAgi, crc));
  // The tree of reference counts as it was when both had the blocks.
  const auto mappings = MappingsWith({Refcount(1, 2, 3, kRefcountIncrease)});
  ASSERT_THAT(mappings, IsOk());
  for (const iomap::Mapping& mapping : *mappings) {
    EXPECT_EQ(mapping.flags, MappingFlag::kNone);
  }
  EXPECT_EQ(actions_.back(), absl::StrCat("unlinked inode ", other_));
}

TEST(XfsShareChanges, AddUp) {
  ShareChanges changes;
  changes.Add(10, 10, 1);
  changes.Add(15, 10, 1);
  changes.Add(15, 2, -1);
  changes.Sort();
  EXPECT_EQ(changes.At(9).change, 0);
  EXPECT_EQ(changes.At(9).end, 10u);
  EXPECT_EQ(changes.At(12).change, 1);
  EXPECT_EQ(changes.At(12).begin, 10u);
  EXPECT_EQ(changes.At(16).change, 1);
  EXPECT_EQ(changes.At(17).change, 2);
  EXPECT_EQ(changes.At(17).end, 20u);
  EXPECT_EQ(changes.At(20).change, 1);
  EXPECT_EQ(changes.At(25).change, 0);
}

}  // namespace
}  // namespace iomap::xfs
