#include "backends/xfs/block_map.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/xfs/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using tests::IsOk;
using tests::StatusIs;
using tests::XfsImage;

constexpr uint64_t kBlock = 4096;

Mapping Hole(uint64_t begin, uint64_t end) {
  return Mapping{.offset = begin, .length = end - begin};
}

// One empty file, whose data fork each test writes.
class XfsBlockMap : public testing::Test {
 protected:
  void SetUp() override { MakeImage({}); }

  void MakeImage(const tests::Arguments& options) {
    absl::StatusOr<XfsImage> made = XfsImage::Make(options, "file ---644 0 0 /dev/null\n");
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    const auto inode = ResolvePath(**filesystem, "/file", LastLink::kKeep);
    ASSERT_THAT(inode, IsOk());
    inode_ = *inode;
  }

  absl::StatusOr<std::vector<Mapping>> Mappings() const {
    IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image_->Open());
    IOMAP_ASSIGN_OR_RETURN(const auto file, filesystem->OpenFile(inode_));
    std::vector<Mapping> mappings;
    IOMAP_RETURN_IF_ERROR(ForEachMapping(*file, &File::MapForRead, ByteRange::All(),
                                         [&](const Mapping& mapping, const ByteRange&) {
                                           mappings.push_back(mapping);
                                           return Walk::kContinue;
                                         }));
    return mappings;
  }

  uint64_t InodeField(size_t offset) const {
    return image_->superblock().AddressOfInode(inode_) + offset;
  }

  // Makes the data fork a B+tree root with these keys and children.
  void PutRoot(uint32_t level, const std::vector<std::pair<uint64_t, uint64_t>>& children) {
    image_->Put(InodeField(offsetof(DiskInode, format)), uint64_t(ForkFormat::kBtree), 1);
    image_->Put(InodeField(offsetof(DiskInode, fork_offset)), 0, 1);
    const uint64_t fork = image_->ForkOf(inode_);
    const uint64_t fork_bytes = image_->superblock().inode_size - sizeof(DiskInode);
    const uint64_t most = (fork_bytes - sizeof(DiskForkBtreeRoot)) / 16;
    image_->Put(fork, level, 2);
    image_->Put(fork + 2, children.size(), 2);
    for (size_t i = 0; i < children.size(); ++i) {
      image_->Put(fork + 4 + i * 8, children[i].first, 8);
      image_->Put(fork + 4 + (most + i) * 8, children[i].second, 8);
    }
    image_->FixInode(inode_);
  }

  // Writes the header of a tree block, after its records: it seals the block with a checksum.
  void SealTreeBlock(uint64_t fsblock, uint32_t level, size_t count) {
    const uint64_t address = fsblock * kBlock;
    image_->Put(address, kExtentBtreeMagicV5, 4);
    image_->Put(address + offsetof(DiskLongBtreeHeader, level), level, 2);
    image_->Put(address + offsetof(DiskLongBtreeHeader, record_count), count, 2);
    image_->Put(address + offsetof(DiskLongBtreeHeader, block_number), address / 512, 8);
    image_->Put(address + offsetof(DiskLongBtreeHeader, owner), inode_, 8);
    for (size_t i = 0; i < sizeof(Uuid); ++i) {
      image_->Put(address + offsetof(DiskLongBtreeHeader, uuid) + i,
                  image_->superblock().meta_uuid[i], 1);
    }
    image_->FixChecksum(address, kBlock, offsetof(DiskLongBtreeHeader, crc));
  }

  void PutLeaf(uint64_t fsblock, const std::vector<Extent>& extents) {
    for (size_t i = 0; i < extents.size(); ++i) {
      image_->PutExtent(fsblock * kBlock + sizeof(DiskLongBtreeHeader) + i * sizeof(DiskExtent),
                        extents[i]);
    }
    SealTreeBlock(fsblock, 0, extents.size());
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber inode_ = 0;
};

TEST_F(XfsBlockMap, WritesHolesBetweenExtentsAndBehindTheLast) {
  image_->SetExtents(
      inode_, {{{.file_block = 2, .start_block = 1000, .block_count = 3},
                {.file_block = 5, .start_block = 2000, .block_count = 1, .unwritten = true}}});
  const auto mappings = Mappings();
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(Hole(0, 2 * kBlock),
                                     Mapping{.offset = 2 * kBlock,
                                             .length = 3 * kBlock,
                                             .address = 1000 * kBlock,
                                             .type = MappingType::kMapped},
                                     Mapping{.offset = 5 * kBlock,
                                             .length = kBlock,
                                             .address = 2000 * kBlock,
                                             .type = MappingType::kUnwritten},
                                     Hole(6 * kBlock, ByteRange::kMaxOffset)));
}

TEST_F(XfsBlockMap, CutsTheLastBlockOfTheLargestFileByOneByte) {
  const uint64_t last_block = (uint64_t{1} << 63) / kBlock - 1;
  image_->SetExtents(inode_, {{{.file_block = last_block, .start_block = 1000, .block_count = 1}}});
  const auto mappings = Mappings();
  ASSERT_THAT(mappings, IsOk());
  ASSERT_THAT(*mappings, SizeIs(2));
  EXPECT_EQ(mappings->back().end(), ByteRange::kMaxOffset);
  EXPECT_EQ(mappings->back().type, MappingType::kMapped);
}

TEST_F(XfsBlockMap, CountsExtentsWhereTheInodeSaysThatTheirNumberIs) {
  MakeImage({"-i", "nrext64=1"});
  image_->SetExtents(inode_, {});
  image_->PutExtent(image_->ForkOf(inode_),
                    {.file_block = 0, .start_block = 1000, .block_count = 1});
  image_->Put(InodeField(offsetof(DiskInode, big_extent_count)), 1, 8);
  image_->FixInode(inode_);
  const auto mappings = Mappings();
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, SizeIs(2));
}

struct WrongExtents {
  std::vector<Extent> extents;
  const char* words;
};

class XfsWrongExtents : public XfsBlockMap, public testing::WithParamInterface<WrongExtents> {};

TEST_P(XfsWrongExtents, AreDamageInTheInode) {
  image_->SetExtents(inode_, GetParam().extents);
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(GetParam().words)));
}

TEST_P(XfsWrongExtents, AreDamageInALeaf) {
  PutLeaf(3000, GetParam().extents);
  PutRoot(1, {{0, 3000}});
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss,
                                   AllOf(HasSubstr("block 3000"), HasSubstr(GetParam().words))));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, XfsWrongExtents,
    testing::Values(
        WrongExtents{{{.file_block = 0, .start_block = 1000, .block_count = 0}}, "do not exist"},
        WrongExtents{{{.file_block = 0, .start_block = 0, .block_count = 1}}, "do not exist"},
        WrongExtents{{{.file_block = 0, .start_block = 8190, .block_count = 3}}, "do not exist"},
        WrongExtents{{{.file_block = 0, .start_block = ~uint64_t{0} >> 12, .block_count = 1}},
                     "do not exist"},
        WrongExtents{{{.file_block = 4, .start_block = 1000, .block_count = 2},
                      {.file_block = 5, .start_block = 2000, .block_count = 1}},
                     "out of order"},
        WrongExtents{{{.file_block = 4, .start_block = 1000, .block_count = 2},
                      {.file_block = 0, .start_block = 2000, .block_count = 1}},
                     "out of order"},
        WrongExtents{{{.file_block = ~uint64_t{0} >> 10, .start_block = 1000, .block_count = 1}},
                     "out of order"}));

TEST_F(XfsBlockMap, RefusesMoreExtentsThanTheInodeHolds) {
  image_->Put(InodeField(offsetof(DiskInode, extent_count)), 1000, 4);
  image_->FixInode(inode_);
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1000 extents")));
}

// Two leaves below a node below the root.
class XfsExtentTree : public XfsBlockMap {
 protected:
  void SetUp() override {
    XfsBlockMap::SetUp();
    PutLeaf(3000, {{.file_block = 0, .start_block = 1000, .block_count = 1},
                   {.file_block = 7, .start_block = 1100, .block_count = 2}});
    PutLeaf(3001, {{.file_block = 20, .start_block = 1200, .block_count = 5}});
    PutNode(3002, {{0, 3000}, {20, 3001}});
    PutRoot(2, {{0, 3002}});
  }

  void PutNode(uint64_t fsblock, const std::vector<std::pair<uint64_t, uint64_t>>& children) {
    const uint64_t keys = fsblock * kBlock + sizeof(DiskLongBtreeHeader);
    const uint64_t most = (kBlock - sizeof(DiskLongBtreeHeader)) / 16;
    for (size_t i = 0; i < children.size(); ++i) {
      image_->Put(keys + i * 8, children[i].first, 8);
      image_->Put(keys + (most + i) * 8, children[i].second, 8);
    }
    SealTreeBlock(fsblock, 1, children.size());
  }
};

TEST_F(XfsExtentTree, GivesTheExtentsOfAllLeaves) {
  const auto mappings = Mappings();
  ASSERT_THAT(mappings, IsOk());
  ASSERT_THAT(*mappings, SizeIs(6));
  EXPECT_EQ((*mappings)[0].address, 1000 * kBlock);
  EXPECT_EQ((*mappings)[2].address, 1100 * kBlock);
  EXPECT_EQ((*mappings)[3].range(), ByteRange::Between(9 * kBlock, 20 * kBlock));
  EXPECT_EQ((*mappings)[4].address, 1200 * kBlock);
}

TEST_F(XfsExtentTree, AnswersForAnyPosition) {
  const auto filesystem = image_->Open();
  ASSERT_THAT(filesystem, IsOk());
  const auto file = (*filesystem)->OpenFile(inode_);
  ASSERT_THAT(file, IsOk());
  const auto at = [&](uint64_t position) {
    return MappingAt(**file, &File::MapForRead, position).value_or(Mapping{});
  };
  EXPECT_EQ(at(8 * kBlock + 1).AddressOf(8 * kBlock + 1), 1101 * kBlock + 1);
  EXPECT_EQ(at(12 * kBlock).type, MappingType::kHole);
  EXPECT_EQ(at(24 * kBlock).AddressOf(24 * kBlock), 1204 * kBlock);
  EXPECT_EQ(at(25 * kBlock), Hole(25 * kBlock, ByteRange::kMaxOffset));
}

TEST_F(XfsExtentTree, RefusesAFlippedByteOfABlock) {
  image_->Flip(3001 * kBlock + 2000);
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss,
                                   HasSubstr("block 3001 of the extent tree: checksum")));
}

TEST_F(XfsExtentTree, RefusesABlockOfAnotherFile) {
  image_->Put(3001 * kBlock + offsetof(DiskLongBtreeHeader, owner), 4711, 8);
  image_->FixChecksum(3001 * kBlock, kBlock, offsetof(DiskLongBtreeHeader, crc));
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("belongs to 4711")));
}

TEST_F(XfsExtentTree, RefusesABlockThatLiesWhereAnotherShould) {
  std::copy_n(image_->bytes().begin() + 3001 * kBlock, kBlock,
              image_->bytes().begin() + 3005 * kBlock);
  PutNode(3002, {{0, 3000}, {20, 3005}});
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("it lies at")));
}

TEST_F(XfsExtentTree, RefusesANodeBelowItself) {
  PutNode(3002, {{0, 3000}, {20, 3002}});
  EXPECT_THAT(Mappings(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("level 1, in the place")));
}

TEST_F(XfsExtentTree, RefusesAnEmptyLeaf) {
  PutLeaf(3001, {});
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no records")));
}

TEST_F(XfsExtentTree, RefusesALeafThatReachesIntoTheNext) {
  PutLeaf(3000, {{.file_block = 0, .start_block = 1000, .block_count = 21}});
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("out of order")));
}

TEST_F(XfsExtentTree, RefusesMoreRecordsThanABlockHolds) {
  SealTreeBlock(3001, 0, 4000);
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("4000 records")));
}

TEST_F(XfsExtentTree, RefusesAChildPastTheDevice) {
  PutNode(3002, {{0, 3000}, {20, uint64_t{1} << 60}});
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("does not exist")));
}

TEST_F(XfsExtentTree, RefusesARootThatIsTooHigh) {
  PutRoot(60, {{0, 3002}});
  EXPECT_THAT(Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("level 60")));
}

}  // namespace
}  // namespace iomap::xfs
