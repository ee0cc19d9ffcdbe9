#include "backends/xfs/superblock.h"

#include <string>
#include <vector>

#include "backends/xfs/features.h"
#include "backends/xfs/format.h"
#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using tests::IsOk;
using tests::StatusIs;
using tests::XfsImage;

absl::StatusOr<Superblock> Parse(const XfsImage& image) {
  return ParseSuperblock(dax::MemoryDevice(image.contents()));
}

TEST(XfsSuperblock, HasTheGeometryThatMkfsWasAskedFor) {
  const auto image = XfsImage::Make({"-b", "size=2048", "-i", "size=1024", "-n", "size=8192"});
  ASSERT_THAT(image, IsOk());
  const Superblock& superblock = image->superblock();
  EXPECT_EQ(superblock.block_size, 2048u);
  EXPECT_EQ(superblock.inode_size, 1024u);
  EXPECT_EQ(superblock.directory_block_size(), 8192u);
  EXPECT_EQ(superblock.data_blocks, 16u << 10);
  EXPECT_TRUE(superblock.is_v5());
}

TEST(XfsSuperblock, NamesFeaturesAsMkfsDoes) {
  const auto v5 = XfsImage::Make({"-m", "rmapbt=1,bigtime=1", "-i", "nrext64=1"});
  ASSERT_THAT(v5, IsOk());
  EXPECT_THAT(FeatureNames(v5->superblock()),
              IsSupersetOf({"crc", "finobt", "rmapbt", "reflink", "bigtime", "nrext64", "ftype"}));
  const auto v4 = XfsImage::Make({"-m", "crc=0", "-n", "ftype=0"});
  ASSERT_THAT(v4, IsOk());
  EXPECT_THAT(FeatureNames(v4->superblock()),
              AllOf(Contains("attr2"), Not(Contains("crc")), Not(Contains("ftype"))));
}

TEST(XfsSuperblock, RefusesAFlippedByte) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  image->Flip(offsetof(DiskSuperblock, free_data_blocks));
  EXPECT_THAT(Parse(*image),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("superblock: checksum")));
}

TEST(XfsSuperblock, RefusesATruncatedDevice) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  image->Truncate(image->bytes().size() - 4096);
  EXPECT_THAT(Parse(*image), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("truncated")));
  image->Truncate(100);
  EXPECT_THAT(Parse(*image), StatusIs(absl::StatusCode::kDataLoss));
}

struct Feature {
  uint32_t bits;
  const char* words;
};

class XfsIncompatibleFeature : public testing::TestWithParam<Feature> {};

TEST_P(XfsIncompatibleFeature, IsRefusedByName) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  const size_t place = offsetof(DiskSuperblock, incompat_features);
  image->Put(place, image->Get(place, 4) | GetParam().bits, 4);
  image->FixSuperblock();
  EXPECT_THAT(Parse(*image),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr(GetParam().words)));
}

INSTANTIATE_TEST_SUITE_P(Bits, XfsIncompatibleFeature,
                         testing::Values(Feature{0x10, "0x10 cannot be read: needsrepair"},
                                         Feature{0x100, "metadir"}, Feature{0x200, "zoned"},
                                         Feature{0x400, "zone_gaps"},
                                         Feature{0x1000, "unknown 0x1000"}));

TEST(XfsSuperblock, ReadsWithFeaturesThatOnlyAWriterNeedsToKnow) {
  auto image = XfsImage::Make({});
  ASSERT_THAT(image, IsOk());
  image->Put(offsetof(DiskSuperblock, ro_compat_features), 0x80000001, 4);
  image->Put(offsetof(DiskSuperblock, log_incompat_features), 1, 4);
  const size_t place = offsetof(DiskSuperblock, incompat_features);
  image->Put(place, image->Get(place, 4) | kIncompatExchange | kIncompatParent, 4);
  image->FixSuperblock();
  const auto superblock = Parse(*image);
  ASSERT_THAT(superblock, IsOk());
  EXPECT_THAT(FeatureNames(*superblock),
              IsSupersetOf({"exchange", "parent", "ro_compat=0x80000000", "log_incompat=0x1"}));
}

TEST(XfsSuperblock, RefusesAnUnknownFeatureOfVersion4) {
  auto image = XfsImage::Make({"-m", "crc=0"});
  ASSERT_THAT(image, IsOk());
  const size_t place = offsetof(DiskSuperblock, features2);
  image->Put(place, image->Get(place, 4) | 0x4000, 4);
  EXPECT_THAT(Parse(*image), StatusIs(absl::StatusCode::kUnimplemented,
                                      HasSubstr("xfs superblock: features2 bits 0x4000")));
}

TEST(XfsSuperblock, RefusesOtherVersions) {
  auto image = XfsImage::Make({"-m", "crc=0"});
  ASSERT_THAT(image, IsOk());
  const size_t place = offsetof(DiskSuperblock, version);
  image->Put(place, (image->Get(place, 2) & ~uint64_t{0xF}) | 3, 2);
  EXPECT_THAT(Parse(*image),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("xfs superblock: version 3")));
}

// A field of the superblock, and a value that contradicts the others.
struct Contradiction {
  size_t offset;
  size_t width;
  uint64_t value;
};

class XfsContradiction : public testing::TestWithParam<Contradiction> {};

TEST_P(XfsContradiction, IsDamage) {
  for (const char* crc : {"crc=0", "crc=1"}) {
    auto image = XfsImage::Make({"-m", crc});
    ASSERT_THAT(image, IsOk());
    image->Put(GetParam().offset, GetParam().value, GetParam().width);
    image->FixSuperblock();
    EXPECT_THAT(Parse(*image), StatusIs(absl::StatusCode::kDataLoss));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Fields, XfsContradiction,
    testing::Values(Contradiction{offsetof(DiskSuperblock, block_size), 4, 0},
                    Contradiction{offsetof(DiskSuperblock, block_size), 4, 8192},
                    Contradiction{offsetof(DiskSuperblock, block_log), 1, 60},
                    Contradiction{offsetof(DiskSuperblock, sector_size), 2, 256},
                    Contradiction{offsetof(DiskSuperblock, inode_size), 2, 4096},
                    Contradiction{offsetof(DiskSuperblock, inodes_per_block), 2, 7},
                    Contradiction{offsetof(DiskSuperblock, directory_block_log), 1, 5},
                    Contradiction{offsetof(DiskSuperblock, data_blocks), 8, ~uint64_t{0}},
                    Contradiction{offsetof(DiskSuperblock, ag_blocks), 4, 0},
                    Contradiction{offsetof(DiskSuperblock, ag_block_log), 1, 63},
                    Contradiction{offsetof(DiskSuperblock, ag_count), 4, 1u << 31},
                    Contradiction{offsetof(DiskSuperblock, log_start), 8, ~uint64_t{0} >> 1},
                    Contradiction{offsetof(DiskSuperblock, log_blocks), 4, ~uint32_t{0}},
                    Contradiction{offsetof(DiskSuperblock, root_inode), 8, ~uint64_t{0}},
                    Contradiction{offsetof(DiskSuperblock, realtime_blocks), 8, ~uint64_t{0}},
                    Contradiction{offsetof(DiskSuperblock, in_progress), 1, 1}));

}  // namespace
}  // namespace iomap::xfs
