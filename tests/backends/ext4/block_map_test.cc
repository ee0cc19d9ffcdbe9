#include "backends/ext4/block_map.h"

#include <cstdint>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::HasSubstr;
using tests::Ext4Image;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kBlock = 1024;
constexpr uint64_t kPointers = kBlock / 4;
constexpr uint64_t kFirstSingle = 12;
constexpr uint64_t kFirstDouble = kFirstSingle + kPointers;
constexpr uint64_t kFirstTriple = kFirstDouble + kPointers * kPointers;

// Pointer blocks written by hand into free blocks of a real file system.
class Ext4BlockMap : public testing::Test {
 protected:
  void PutPointer(uint64_t block, uint64_t index, uint32_t pointer) {
    image_.Put(block * kBlock + index * 4, pointer, 4);
  }
  void PutInodePointer(uint64_t index, uint32_t pointer) {
    for (size_t i = 0; i < 4; ++i) {
      inode_.block[index * 4 + i] = static_cast<std::byte>(pointer >> (8 * i));
    }
  }
  absl::StatusOr<BlockAnswer> GetBlock(uint64_t file_block) {
    volume_ = image_.Volume().value();
    return BlockMap(*volume_, inode_).GetBlock(file_block);
  }

  Ext4Image image_ = Ext4Image::Make({"-b", "1024", "-t", "ext2"}).value();
  Inode inode_ = {.number = 42};
  std::unique_ptr<Volume> volume_;
};

TEST_F(Ext4BlockMap, FollowsDirectSingleDoubleAndTriplePointers) {
  PutInodePointer(11, 5000);
  PutInodePointer(12, 7000);
  PutPointer(7000, 3, 5001);
  PutInodePointer(13, 7001);
  PutPointer(7001, 1, 7002);
  PutPointer(7002, 2, 5002);
  PutInodePointer(14, 7003);
  PutPointer(7003, 255, 7004);
  PutPointer(7004, 255, 7005);
  PutPointer(7005, 255, 5003);
  EXPECT_EQ(GetBlock(11).value().block, 5000u);
  EXPECT_EQ(GetBlock(kFirstSingle + 3).value().block, 5001u);
  EXPECT_EQ(GetBlock(kFirstDouble + kPointers + 2).value().block, 5002u);
  const uint64_t last = kFirstTriple + kPointers * kPointers * kPointers - 1;
  EXPECT_EQ(GetBlock(last).value().block, 5003u);
  EXPECT_EQ(GetBlock(last).value().state, BufferState::kMapped);
  EXPECT_EQ(GetBlock(last + 1).value().state, BufferState::kNone);
}

TEST_F(Ext4BlockMap, AnAbsentPointerBlockIsOneHole) {
  EXPECT_EQ(GetBlock(kFirstSingle + 6).value().blocks, kPointers - 6);
  EXPECT_EQ(GetBlock(kFirstDouble).value().blocks, kPointers * kPointers);
  PutInodePointer(14, 7000);
  EXPECT_EQ(GetBlock(kFirstTriple + 1).value().blocks, kPointers * kPointers - 1);
}

TEST_F(Ext4BlockMap, JoinsBlocksThatFollowEachOther) {
  PutInodePointer(12, 7000);
  for (uint64_t i = 0; i < 10; ++i) {
    PutPointer(7000, i, static_cast<uint32_t>(5000 + i));
  }
  EXPECT_EQ(GetBlock(kFirstSingle + 4).value().block, 5004u);
  EXPECT_EQ(GetBlock(kFirstSingle + 4).value().blocks, 6u);
}

TEST_F(Ext4BlockMap, RefusesAPointerOutOfTheFileSystem) {
  PutInodePointer(0, 8192);
  EXPECT_THAT(GetBlock(0), StatusIs(kDataLoss, HasSubstr("inode 42: pointer to block 8192")));
  PutInodePointer(1, 1);  // the superblock's own block
  EXPECT_THAT(GetBlock(1), StatusIs(kDataLoss, HasSubstr("pointer to block 1")));
  PutInodePointer(12, 0xFFFFFFFF);
  EXPECT_THAT(GetBlock(kFirstSingle), StatusIs(kDataLoss, HasSubstr("pointer block at block")));
}

TEST_F(Ext4BlockMap, RefusesAPointerBlockThatHangsInTwoPlaces) {
  PutInodePointer(13, 7001);
  PutPointer(7001, 0, 7002);
  PutPointer(7001, 1, 7002);
  PutPointer(7002, 0, 5000);
  volume_ = image_.Volume().value();
  const BlockMap map(*volume_, inode_);
  EXPECT_EQ(map.GetBlock(kFirstDouble).value().block, 5000u);
  EXPECT_THAT(map.GetBlock(kFirstDouble + kPointers),
              StatusIs(kDataLoss, HasSubstr("is also that for file block")));
}

}  // namespace
}  // namespace iomap::ext4
