#include "backends/ext4/extent_tree.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "backends/crc32c.h"
#include "backends/ext4/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::Ext4Image;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kBlock = 1024;
constexpr uint16_t kRoom = 84;         // records of a 1 KiB block
constexpr uint64_t kFirstNode = 7000;  // free blocks of the image
constexpr uint64_t kSecondNode = 7001;

struct Record {
  uint32_t file_block;
  uint64_t block;       // a child, or where the extent lies
  uint32_t length = 0;  // of an extent; as on the medium
};

// A tree written by hand: nodes in free blocks of a real file system, the root in an inode of its
// own.
class Ext4ExtentTree : public testing::Test {
 protected:
  void PutNode(uint64_t address, uint16_t depth, uint16_t room,
               const std::vector<Record>& records) {
    image_.Put(address, kExtentMagic, 2);
    image_.Put(address + 2, records.size(), 2);
    image_.Put(address + 4, room, 2);
    image_.Put(address + 6, depth, 2);
    for (size_t i = 0; i < records.size(); ++i) {
      const uint64_t place = address + 12 * (i + 1);
      image_.Put(place, records[i].file_block, 4);
      if (depth == 0) {
        image_.Put(place + 4, records[i].length, 2);
        image_.Put(place + 6, records[i].block >> 32, 2);
        image_.Put(place + 8, records[i].block, 4);
      } else {
        image_.Put(place + 4, records[i].block, 4);
        image_.Put(place + 8, records[i].block >> 32, 2);
      }
    }
  }

  void PutBlock(uint64_t block, uint16_t depth, const std::vector<Record>& records) {
    PutNode(block * kBlock, depth, kRoom, records);
    const uint64_t covered = 12 + 12 * kRoom;
    image_.Put(block * kBlock + covered,
               backends::ExtendCrc32c(inode_.checksum_seed,
                                      image_.bytes().subspan(block * kBlock, covered)),
               4);
  }

  // The root goes into a free block first, and from there into the inode.
  void PutRoot(uint16_t depth, const std::vector<Record>& records) {
    constexpr uint64_t kRoot = 7999 * kBlock;
    PutNode(kRoot, depth, 4, records);
    std::copy_n(image_.bytes().begin() + kRoot, inode_.block.size(), inode_.block.begin());
  }

  // The mappings of the first `count` blocks of the file.
  absl::StatusOr<std::vector<Mapping>> Map(uint64_t count) {
    volume_ = image_.Volume().value();
    absl::StatusOr<std::unique_ptr<ExtentTree>> tree = ExtentTree::Open(*volume_, inode_);
    if (!tree.ok()) {
      return tree.status();
    }
    std::vector<Mapping> mappings(16);
    const absl::StatusOr<size_t> filled =
        (*tree)->Map(ByteRange{0, count * kBlock}, absl::MakeSpan(mappings));
    if (!filled.ok()) {
      return filled.status();
    }
    mappings.resize(*filled);
    return mappings;
  }

  Ext4Image image_ = Ext4Image::Make({"-b", "1024"}).value();
  Inode inode_ = {.number = 42, .checksum_seed = 0x12345678};
  std::unique_ptr<Volume> volume_;
};

Mapping Hole(uint64_t block, uint64_t count) {
  return Mapping{.offset = block * kBlock, .length = count * kBlock};
}

Mapping Blocks(uint64_t block, uint64_t count, uint64_t at, MappingType type) {
  return Mapping{
      .offset = block * kBlock, .length = count * kBlock, .address = at * kBlock, .type = type};
}

TEST_F(Ext4ExtentTree, ALengthAbove32768IsUnwritten) {
  PutRoot(0, {{0, 5000, 2}, {4, 6000, 32768 + 3}});
  EXPECT_THAT(Map(7).value(), ElementsAre(Blocks(0, 2, 5000, MappingType::kMapped), Hole(2, 2),
                                          Blocks(4, 3, 6000, MappingType::kUnwritten)));
}

TEST_F(Ext4ExtentTree, AnEmptyRootIsOneHole) {
  PutRoot(0, {});
  EXPECT_THAT(Map(7).value(), ElementsAre(Mapping{.offset = 0, .length = ByteRange::kMaxOffset}));
}

TEST_F(Ext4ExtentTree, GoesOnFromOneLeafToTheNext) {
  PutBlock(kFirstNode, 0, {{1, 5000, 1}});
  PutBlock(kSecondNode, 0, {{9, 5100, 1}});
  PutRoot(1, {{1, kFirstNode}, {9, kSecondNode}});
  EXPECT_THAT(Map(10).value(), ElementsAre(Hole(0, 1), Blocks(1, 1, 5000, MappingType::kMapped),
                                           Hole(2, 7), Blocks(9, 1, 5100, MappingType::kMapped)));
}

TEST_F(Ext4ExtentTree, RefusesAnExtentPastTheDevice) {
  PutRoot(0, {{0, 8191, 2}});
  EXPECT_THAT(Map(1),
              StatusIs(kDataLoss, HasSubstr("inode 42, extent root: extent at block 8191")));
}

TEST_F(Ext4ExtentTree, RefusesAnExtentThatTheTruncatedDeviceNoLongerHas) {
  PutRoot(0, {{0, 6000, 1}});
  image_.Truncate(6000 * kBlock);
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("extent at block 6000")));
}

TEST_F(Ext4ExtentTree, RefusesExtentsThatOverlapOrAreOutOfOrder) {
  PutRoot(0, {{0, 5000, 2}, {1, 6000, 1}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("file block 1, out of order")));
  PutRoot(0, {{5, 5000, 2}, {1, 6000, 1}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("file block 1, out of order")));
}

TEST_F(Ext4ExtentTree, RefusesAnExtentOfNoBlocks) {
  PutRoot(0, {{0, 5000, 0}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("0 blocks")));
}

TEST_F(Ext4ExtentTree, RefusesATreeThatIsTooDeep) {
  PutRoot(6, {{0, kFirstNode}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("depth 6, at most 5")));
}

TEST_F(Ext4ExtentTree, RefusesANodeOfAnotherDepth) {
  PutBlock(kFirstNode, 1, {{0, kSecondNode}});
  PutRoot(1, {{0, kFirstNode}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("extent block 7000: depth 1, expected 0")));
}

TEST_F(Ext4ExtentTree, RefusesAnEmptyNodeBelowTheRoot) {
  PutBlock(kFirstNode, 0, {});
  PutRoot(1, {{0, kFirstNode}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("records 0, at least 1")));
}

TEST_F(Ext4ExtentTree, RefusesALeafThatReachesIntoTheNextOne) {
  PutBlock(kFirstNode, 0, {{0, 5000, 10}});
  PutBlock(kSecondNode, 0, {{9, 5100, 1}});
  PutRoot(1, {{0, kFirstNode}, {9, kSecondNode}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("extent block 7000: file block 0")));
}

TEST_F(Ext4ExtentTree, RefusesAChildPastTheDevice) {
  PutRoot(1, {{0, uint64_t{1} << 40}});
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("child at block 1099511627776")));
}

TEST_F(Ext4ExtentTree, RefusesANodeWithTheChecksumOfAnotherInode) {
  PutBlock(kFirstNode, 0, {{0, 5000, 1}});
  PutRoot(1, {{0, kFirstNode}});
  inode_.checksum_seed = 0x87654321;
  EXPECT_THAT(Map(1), StatusIs(kDataLoss, HasSubstr("extent block 7000: checksum")));
}

TEST_F(Ext4ExtentTree, ReadsTheUndamagedPartOfADamagedTree) {
  PutBlock(kFirstNode, 0, {{0, 5000, 1}});
  PutRoot(1, {{0, kFirstNode}, {9, kSecondNode}});
  EXPECT_THAT(Map(10), StatusIs(kDataLoss, HasSubstr("extent block 7001")));
  volume_ = image_.Volume().value();
  const std::unique_ptr<ExtentTree> tree = ExtentTree::Open(*volume_, inode_).value();
  Mapping mapping;
  EXPECT_EQ(tree->Map(ByteRange{0, kBlock}, absl::MakeSpan(&mapping, 1)).value(), 1u);
  EXPECT_EQ(mapping, Blocks(0, 1, 5000, MappingType::kMapped));
}

}  // namespace
}  // namespace iomap::ext4
