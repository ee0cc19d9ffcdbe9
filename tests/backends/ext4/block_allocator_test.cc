#include "backends/ext4/block_allocator.h"

#include <cstdint>
#include <memory>

#include "backends/ext4/group.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using tests::Ext4Image;
using tests::StatusIs;

// Eight groups of 1 MiB, of which those without a copy of the superblock have no bitmap.
std::unique_ptr<Volume> MakeVolume(const char* features) {
  return Ext4Image::Make({"-b", "1024", "-g", "1024", "-N", "512", "-O", features})
      .value()
      .Volume()
      .value();
}

bool IsFree(const Volume& volume, uint64_t block) {
  const uint64_t index = (block - 1) / 1024;
  const Group group = ReadGroup(volume, index).value();
  const auto bitmap = volume.Block(group.block_bitmap_block).value();
  const uint64_t bit = (block - 1) % 1024;
  return (static_cast<unsigned>(bitmap[bit / 8]) >> (bit % 8) & 1) == 0;
}

TEST(Ext4BlockAllocator, FindsWhatIsFreeInGroupsWithoutABitmap) {
  const std::unique_ptr<Volume> volume = MakeVolume("uninit_bg,^has_journal,^resize_inode");
  // The same layout, with all bitmaps.
  const std::unique_ptr<Volume> written =
      MakeVolume("^metadata_csum,^uninit_bg,^has_journal,^resize_inode");
  BlockAllocator allocator(*volume);
  uint64_t groups_without = 0;
  for (uint64_t group = 0; group < volume->superblock().group_count; ++group) {
    groups_without += ReadGroup(*volume, group).value().has_block_bitmap ? 0 : 1;
  }
  ASSERT_GT(groups_without, 0u);
  uint64_t found = 0;
  uint64_t found_without = 0;
  absl::StatusOr<uint64_t> block = allocator.Allocate(1);
  for (; block.ok(); block = allocator.Allocate(1)) {
    ASSERT_TRUE(IsFree(*written, *block)) << *block;
    found_without += ReadGroup(*volume, (*block - 1) / 1024).value().has_block_bitmap ? 0 : 1;
    ++found;
  }
  EXPECT_THAT(block, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_GT(found_without, groups_without * 500);
  EXPECT_LE(found, written->superblock().free_block_count);
}

}  // namespace
}  // namespace iomap::ext4
