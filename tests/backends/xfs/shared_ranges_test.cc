#include "backends/xfs/shared_ranges.h"

#include <memory>
#include <vector>

#include "backends/xfs/format.h"
#include "backends/xfs/group_headers.h"
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

using testing::ElementsAre;
using testing::HasSubstr;
using tests::IsOk;
using tests::StatusIs;
using tests::XfsImage;

constexpr uint64_t kBlock = 4096;

// A file of blocks 1000 to 1009 of the first allocation group, and a reference-count tree that each
// test writes.
class XfsSharedRanges : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<XfsImage> made =
        XfsImage::Make({"-m", "reflink=1"}, "file ---644 0 0 /dev/null\n");
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    inode_ = ResolvePath(**filesystem, "/file", LastLink::kKeep).value_or(0);
    SetExtents({{.file_block = 0, .start_block = 1000, .block_count = 10}});
    Volume volume;
    volume.superblock = image_->superblock();
    volume.devices.push_back(std::make_unique<dax::MemoryDevice>(image_->contents()));
    const auto root = ReadRefcountBtreeRoot(volume, 0);
    ASSERT_THAT(root, IsOk());
    root_address_ = root->fsblock * kBlock;
  }

  void SetExtents(const std::vector<Extent>& extents) {
    const uint64_t flags2 =
        image_->superblock().AddressOfInode(inode_) + offsetof(DiskInode, flags2);
    image_->Put(flags2, image_->Get(flags2, 8) | kInodeFlag2Reflink, 8);
    image_->SetExtents(inode_, extents);
  }

  struct Record {
    uint32_t start;
    uint32_t count;
    uint32_t refcount;
  };

  void PutRecords(const std::vector<Record>& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      const uint64_t address =
          root_address_ + sizeof(DiskShortBtreeHeader) + i * sizeof(DiskRefcountRecord);
      image_->Put(address, records[i].start, 4);
      image_->Put(address + 4, records[i].count, 4);
      image_->Put(address + 8, records[i].refcount, 4);
    }
    image_->Put(root_address_ + offsetof(DiskShortBtreeHeader, record_count), records.size(), 2);
    image_->FixChecksum(root_address_, kBlock, offsetof(DiskShortBtreeHeader, crc));
  }

  // First block, end and whether it is shared of each mapping of `range`.
  using Part = std::tuple<uint64_t, uint64_t, bool>;
  absl::StatusOr<std::vector<Part>> Report(MapMethod method, const ByteRange& range) const {
    IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image_->Open());
    IOMAP_ASSIGN_OR_RETURN(const auto file, filesystem->OpenFile(inode_));
    std::vector<Part> parts;
    IOMAP_RETURN_IF_ERROR(
        ForEachMapping(*file, method, range, [&](const Mapping& mapping, ByteRange) {
          if (mapping.type != MappingType::kHole) {
            EXPECT_EQ(mapping.address, 1000 * kBlock + mapping.offset);
            parts.emplace_back(mapping.offset / kBlock, mapping.end() / kBlock,
                               HasFlag(mapping.flags, MappingFlag::kShared));
          }
          return Walk::kContinue;
        }));
    return parts;
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber inode_ = 0;
  uint64_t root_address_ = 0;
};

TEST_F(XfsSharedRanges, SplitAReportWhereSharingBeginsAndEnds) {
  PutRecords({{990, 12, 2}, {1004, 2, 3}, {1009, 100, 2}});
  const auto parts = Report(&File::MapForReport, ByteRange::All());
  ASSERT_THAT(parts, IsOk());
  EXPECT_THAT(*parts, ElementsAre(Part{0, 2, true}, Part{2, 4, false}, Part{4, 6, true},
                                  Part{6, 9, false}, Part{9, 10, true}));
}

TEST_F(XfsSharedRanges, AreReportedWholeFromTheMiddle) {
  PutRecords({{990, 12, 2}, {1004, 2, 3}});
  const auto parts = Report(&File::MapForReport, ByteRange{5 * kBlock, kBlock});
  ASSERT_THAT(parts, IsOk());
  EXPECT_THAT(*parts, ElementsAre(Part{4, 6, true}));
}

TEST_F(XfsSharedRanges, DoNotConcernAReader) {
  PutRecords({{990, 12, 2}});
  const auto parts = Report(&File::MapForRead, ByteRange::All());
  ASSERT_THAT(parts, IsOk());
  EXPECT_THAT(*parts, ElementsAre(Part{0, 10, false}));
}

TEST_F(XfsSharedRanges, DoNotIncludeWhatCopyOnWriteHasSetAside) {
  PutRecords({{kRefcountStagingBit | 1002, 3, 1}});
  const auto parts = Report(&File::MapForReport, ByteRange::All());
  ASSERT_THAT(parts, IsOk());
  EXPECT_THAT(*parts, ElementsAre(Part{0, 10, false}));
}

TEST_F(XfsSharedRanges, DoNotIncludeUnwrittenBlocks) {
  SetExtents({{.file_block = 0, .start_block = 1000, .block_count = 10, .unwritten = true}});
  PutRecords({{990, 30, 2}});
  const auto parts = Report(&File::MapForReport, ByteRange::All());
  ASSERT_THAT(parts, IsOk());
  EXPECT_THAT(*parts, ElementsAre(Part{0, 10, false}));
}

TEST_F(XfsSharedRanges, RefuseADamagedTree) {
  PutRecords({{990, 12, 2}});
  image_->Flip(root_address_ + 100);
  EXPECT_THAT(Report(&File::MapForReport, ByteRange::All()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("allocation group 0, block")));
  EXPECT_THAT(Report(&File::MapForRead, ByteRange::All()), IsOk());
}

TEST_F(XfsSharedRanges, RefuseRecordsThatOverlapOrPassTheGroup) {
  PutRecords({{990, 12, 2}, {1001, 5, 2}});
  EXPECT_THAT(Report(&File::MapForReport, ByteRange::All()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("out of order")));
  PutRecords({{990, 0x7FFFFFFF, 2}});
  EXPECT_THAT(Report(&File::MapForReport, ByteRange::All()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("do not exist")));
}

}  // namespace
}  // namespace iomap::xfs
