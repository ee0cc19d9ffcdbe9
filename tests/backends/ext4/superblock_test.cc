#include "backends/ext4/superblock.h"

#include <cstdint>

#include "absl/strings/string_view.h"
#include "backends/ext4/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnimplemented = absl::StatusCode::kUnimplemented;

absl::StatusOr<Superblock> Parse(Ext4Image& image) {
  return ParseSuperblock(image.bytes().subspan(kSuperblockOffset, sizeof(DiskSuperblock)));
}

// One field set to a value that cannot be, the checksum right: the check behind it must see it.
struct BadField {
  size_t offset;
  uint64_t value;
  size_t width;
  const char* message;
};

class Ext4SuperblockField : public testing::TestWithParam<BadField> {};

TEST_P(Ext4SuperblockField, IsRefusedWithItsValue) {
  Ext4Image image = Ext4Image::Make({"-b", "1024"}).value();
  ASSERT_THAT(Parse(image), IsOk());
  const BadField& field = GetParam();
  image.Put(kSuperblockOffset + field.offset, field.value, field.width);
  image.FixSuperblock();
  EXPECT_THAT(Parse(image), StatusIs(kDataLoss, HasSubstr(field.message)));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Ext4SuperblockField,
    testing::Values(
        BadField{offsetof(DiskSuperblock, log_block_size), 7, 4, "log_block_size 7"},
        BadField{offsetof(DiskSuperblock, blocks_count_hi), 0x7fffffff, 4, "blocks_count"},
        BadField{offsetof(DiskSuperblock, first_data_block), 2, 4, "first_data_block 2"},
        BadField{offsetof(DiskSuperblock, blocks_per_group), 0, 4, "blocks_per_group 0"},
        BadField{offsetof(DiskSuperblock, blocks_per_group), 8193, 4, "blocks_per_group 8193"},
        BadField{offsetof(DiskSuperblock, inodes_per_group), 0, 4, "inodes_per_group 0"},
        BadField{offsetof(DiskSuperblock, inodes_per_group), 8193, 4, "inodes_per_group 8193"},
        BadField{offsetof(DiskSuperblock, inodes_count), 0, 4, "inodes_count 0"},
        BadField{offsetof(DiskSuperblock, inodes_count), ~0u, 4, "inodes_count 4294967295"},
        BadField{offsetof(DiskSuperblock, inode_size), 0, 2, "inode_size 0"},
        BadField{offsetof(DiskSuperblock, inode_size), 192, 2, "inode_size 192"},
        BadField{offsetof(DiskSuperblock, inode_size), 2048, 2, "inode_size 2048"},
        BadField{offsetof(DiskSuperblock, descriptor_size), 32, 2, "descriptor size 32"},
        BadField{offsetof(DiskSuperblock, descriptor_size), 96, 2, "descriptor size 96"}));

TEST(Ext4Superblock, RefusesAWrongChecksumWithBothValues) {
  Ext4Image image = Ext4Image::Make({}).value();
  image.Flip(kSuperblockOffset + offsetof(DiskSuperblock, free_inodes));
  EXPECT_THAT(Parse(image), StatusIs(kDataLoss, HasSubstr("computed")));
}

TEST(Ext4Superblock, RefusesFeaturesByName) {
  const struct {
    uint32_t bit;
    const char* name;
  } refused[] = {{0x1, "compression (incompat 0x1)"},
                 {0x8, "journal_dev (incompat 0x8)"},
                 {0x1000, "dirdata (incompat 0x1000)"},
                 {0x40000, "FEATURE_I18 (incompat 0x40000)"}};
  for (const auto& [bit, name] : refused) {
    Ext4Image image = Ext4Image::Make({}).value();
    constexpr uint64_t kAddress = kSuperblockOffset + offsetof(DiskSuperblock, feature_incompat);
    image.Put(kAddress, image.Get(kAddress, 4) | bit, 4);
    image.FixSuperblock();
    EXPECT_THAT(Parse(image), StatusIs(kUnimplemented, HasSubstr(name)));
  }
}

TEST(Ext4Superblock, ServesUnknownFeaturesThatOnlyAWriterMustKnow) {
  Ext4Image image = Ext4Image::Make({}).value();
  for (const size_t word :
       {offsetof(DiskSuperblock, feature_compat), offsetof(DiskSuperblock, feature_ro_compat)}) {
    const uint64_t address = kSuperblockOffset + word;
    image.Put(address, image.Get(address, 4) | 0x80000000, 4);
  }
  image.FixSuperblock();
  EXPECT_THAT(Parse(image), IsOk());
}

TEST(Ext4Superblock, RefusesAnUnknownChecksumTypeByNumber) {
  Ext4Image image = Ext4Image::Make({}).value();
  image.Put(kSuperblockOffset + offsetof(DiskSuperblock, checksum_type), 2, 1);
  image.FixSuperblock();
  EXPECT_THAT(Parse(image), StatusIs(kUnimplemented, HasSubstr("type 2")));
}

TEST(Ext4Superblock, ATruncatedDeviceWithoutOneIsDamage) {
  Ext4Image image = Ext4Image::Make({}).value();
  image.Truncate(2047);
  EXPECT_THAT(image.Volume(), StatusIs(kDataLoss, HasSubstr("past the end")));
}

}  // namespace
}  // namespace iomap::ext4
