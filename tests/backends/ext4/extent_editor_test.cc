#include "backends/ext4/extent_editor.h"

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "backends/ext4/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::StatusIs;

constexpr uint64_t kBlock = 1024;

// A directory's tree is as good as any.
class Ext4ExtentEditor : public testing::Test {
 protected:
  Ext4ExtentEditor()
      : image_(Ext4Image::Make({"-b", "1024", "-O", "^has_journal"}, {"mkdir d"}).value()),
        volume_(image_.Volume().value()),
        allocator_(*volume_),
        inode_(static_cast<uint32_t>(
            ResolvePath(*image_.Open().value(), "/d", LastLink::kKeep).value())),
        editor_(ExtentEditor::Read(*volume_, allocator_, inode_).value()) {
    EXPECT_THAT(editor_.Remove(0, kFileBlocks), IsOk());
  }

  // What a reader finds: file block -> block, unwritten ones negative.
  std::map<uint64_t, int64_t> Read() const {
    std::map<uint64_t, int64_t> blocks;
    const std::shared_ptr<File> file = File::Open(*volume_, inode_).value();
    EXPECT_THAT(ForEachMapping(*file, &iomap::File::MapForRead, ByteRange{0, 2000 * kBlock},
                               [&](const Mapping& mapping, const ByteRange& part) {
                                 for (uint64_t at = part.offset;
                                      mapping.has_address() && at < part.end(); at += kBlock) {
                                   const auto block =
                                       static_cast<int64_t>(mapping.AddressOf(at) / kBlock);
                                   blocks[at / kBlock] =
                                       mapping.type == MappingType::kUnwritten ? -block : block;
                                 }
                                 return Walk::kContinue;
                               }),
                IsOk());
    return blocks;
  }

  Ext4Image image_;
  std::unique_ptr<Volume> volume_;
  BlockAllocator allocator_;
  uint32_t inode_;
  ExtentEditor editor_;
};

TEST_F(Ext4ExtentEditor, FollowsAModelThroughRandomChanges) {
  std::mt19937_64 random(1);
  std::map<uint64_t, int64_t> model;
  for (int step = 0; step < 3000; ++step) {
    const uint64_t begin = random() % 1200;
    const uint32_t length = 1 + random() % 6;
    if (random() % 3 == 0) {
      ASSERT_THAT(editor_.Remove(begin, begin + length), IsOk());
      for (uint64_t i = begin; i < begin + length; ++i) {
        model.erase(i);
      }
    } else {
      const Extent extent{begin, 100 + random() % 7000, length, random() % 2 == 0};
      ASSERT_THAT(editor_.Put(extent), IsOk());
      for (uint32_t i = 0; i < length; ++i) {
        const auto block = static_cast<int64_t>(extent.start + i);
        model[begin + i] = extent.unwritten ? -block : block;
      }
    }
    if (step % 100 == 99) {
      ASSERT_EQ(Read(), model) << "after step " << step;
      ASSERT_EQ(editor_.data_blocks(), model.size());
    }
  }
  EXPECT_GT(editor_.node_blocks(), 3u);
  const uint64_t nodes = editor_.node_blocks();
  EXPECT_EQ(ExtentEditor::Read(*volume_, allocator_, inode_).value().node_blocks(), nodes);
}

TEST_F(Ext4ExtentEditor, PutsExtentsInFrontOfAFullFirstLeaf) {
  std::map<uint64_t, int64_t> model;
  for (uint64_t block = 800; block > 0; block -= 2) {
    ASSERT_THAT(editor_.Put({block, 1000 + block, 1, false}), IsOk());
    model[block] = static_cast<int64_t>(1000 + block);
  }
  EXPECT_GT(editor_.node_blocks(), 4u);
  EXPECT_EQ(Read(), model);
}

TEST_F(Ext4ExtentEditor, CutsAnExtentInTheMiddleOfAFullRoot) {
  for (uint64_t i = 0; i < 4; ++i) {
    ASSERT_THAT(editor_.Put({i * 20, 1000 + i * 100, 10, false}), IsOk());
  }
  EXPECT_EQ(editor_.node_blocks(), 0u);
  ASSERT_THAT(editor_.Remove(24, 26), IsOk());
  EXPECT_EQ(editor_.node_blocks(), 1u);
  EXPECT_EQ(editor_.data_blocks(), 38u);
  EXPECT_EQ(Read().at(26), 1106);
  EXPECT_EQ(Read().count(25), 0u);
}

TEST_F(Ext4ExtentEditor, RefusesBlocksPastTheDeviceAndEmptyExtents) {
  EXPECT_THAT(editor_.Put({0, 8190, 10, false}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("in block 8190")));
  EXPECT_THAT(editor_.Put({0, 1000, 0, false}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(editor_.Put({0xFFFFFFFF, 1000, 1, false}), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(Ext4ExtentEditor, RefusesAFileWithoutExtents) {
  Ext4Image image = Ext4Image::Make({"-t", "ext2", "-b", "1024"}).value();
  const auto volume = image.Volume().value();
  BlockAllocator allocator(*volume);
  EXPECT_THAT(ExtentEditor::Read(*volume, allocator, kRootInode),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("ext4 inode 2")));
}

}  // namespace
}  // namespace iomap::ext4
