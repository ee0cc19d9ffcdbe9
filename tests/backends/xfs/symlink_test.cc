#include "backends/xfs/symlink.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "backends/xfs/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::HasSubstr;
using tests::IsOk;
using tests::StatusIs;
using tests::XfsImage;

std::string Target(size_t bytes) {
  std::string target;
  for (size_t i = 0; i < bytes; ++i) {
    target += static_cast<char>('a' + i % 26);
  }
  return target;
}

absl::StatusOr<std::string> ReadLink(const XfsImage& image) {
  IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image.Open());
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber inode,
                         ResolvePath(*filesystem, "/link", LastLink::kKeep));
  return filesystem->ReadLink(inode);
}

absl::StatusOr<XfsImage> MakeLink(const tests::Arguments& options, const std::string& target) {
  return XfsImage::Make(options, absl::StrCat("link l--777 0 0 ", target, "\n"));
}

TEST(XfsSymlink, ReadsATargetInTheInode) {
  const auto image = MakeLink({}, Target(100));
  ASSERT_THAT(image, IsOk());
  const auto target = ReadLink(*image);
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(*target, Target(100));
}

TEST(XfsSymlink, ReadsATargetInBlocksOfVersion4) {
  for (const size_t bytes : {size_t{513}, size_t{1023}}) {
    const auto image = MakeLink({"-m", "crc=0", "-b", "size=512"}, Target(bytes));
    ASSERT_THAT(image, IsOk());
    const auto target = ReadLink(*image);
    ASSERT_THAT(target, IsOk());
    EXPECT_EQ(*target, Target(bytes));
  }
}

TEST(XfsSymlink, RefusesAZeroByteInTheTarget) {
  auto image = MakeLink({}, Target(100));
  ASSERT_THAT(image, IsOk());
  const InodeNumber inode = ResolvePath(*image->Open().value(), "/link", LastLink::kKeep).value();
  image->Put(image->ForkOf(inode) + 7, 0, 1);
  image->FixInode(inode);
  EXPECT_THAT(ReadLink(*image), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("byte 7")));
}

// mkfs.xfs 6.1 leaves out the header that version 5 wants in front of a remote target, so the test
// writes the block: 900 bytes behind a header, in blocks of 1 KiB.
class XfsRemoteSymlink : public testing::Test {
 protected:
  static constexpr uint64_t kBlock = 1024;
  static constexpr size_t kTargetBytes = 900;

  void SetUp() override {
    absl::StatusOr<XfsImage> made = MakeLink({"-b", "size=1024"}, Target(kTargetBytes));
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    inode_ = ResolvePath(**filesystem, "/link", LastLink::kKeep).value_or(0);
    const auto file = (*filesystem)->OpenFile(inode_);
    ASSERT_THAT(file, IsOk());
    Mapping mapping;
    ASSERT_THAT((*file)->MapForRead(ByteRange{0, 1}, absl::MakeSpan(&mapping, 1)), IsOk());
    ASSERT_TRUE(mapping.has_address());
    address_ = mapping.address;
    PutBlock(kTargetBytes);
  }

  void PutBlock(uint64_t bytes) {
    image_->Put(address_, kSymlinkMagic, 4);
    image_->Put(address_ + offsetof(DiskSymlinkHeader, offset), 0, 4);
    image_->Put(address_ + offsetof(DiskSymlinkHeader, bytes), bytes, 4);
    image_->Put(address_ + offsetof(DiskSymlinkHeader, owner), inode_, 8);
    image_->Put(address_ + offsetof(DiskSymlinkHeader, block_number), address_ / 512, 8);
    for (size_t i = 0; i < sizeof(Uuid); ++i) {
      image_->Put(address_ + offsetof(DiskSymlinkHeader, uuid) + i,
                  image_->superblock().meta_uuid[i], 1);
    }
    for (size_t i = 0; i < kTargetBytes; ++i) {
      image_->Put(address_ + sizeof(DiskSymlinkHeader) + i, Target(kTargetBytes)[i], 1);
    }
    image_->FixChecksum(address_, kBlock, offsetof(DiskSymlinkHeader, crc));
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber inode_ = 0;
  uint64_t address_ = 0;
};

TEST_F(XfsRemoteSymlink, ReadsTheTargetBehindTheHeader) {
  const auto target = ReadLink(*image_);
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(*target, Target(kTargetBytes));
}

TEST_F(XfsRemoteSymlink, RefusesAFlippedByte) {
  image_->Flip(address_ + 500);
  EXPECT_THAT(ReadLink(*image_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")));
}

TEST_F(XfsRemoteSymlink, RefusesATextThatPassesItsBlock) {
  PutBlock(kBlock);
  EXPECT_THAT(ReadLink(*image_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("holds 1024")));
}

TEST_F(XfsRemoteSymlink, RefusesATargetAbove1024Bytes) {
  image_->Put(image_->superblock().AddressOfInode(inode_) + offsetof(DiskInode, size), 1025, 8);
  image_->FixInode(inode_);
  EXPECT_THAT(ReadLink(*image_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1025 bytes")));
}

}  // namespace
}  // namespace iomap::xfs
