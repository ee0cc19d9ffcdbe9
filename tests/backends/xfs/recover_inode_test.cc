#include "backends/xfs/recover_inode.h"

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

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Test;
using testing::Values;
using tests::InodeItem;
using tests::IsOk;
using tests::Item;
using tests::LogBuilder;
using tests::LogCoreOf;
using tests::MappedAt;
using tests::Region;
using tests::StatusIs;
using tests::XfsImage;

constexpr uint64_t kBlock = 4096;

// An image with the file "file", and the file as it is when the log is replayed.
class InodeImage {
 public:
  explicit InodeImage(const tests::Arguments& options) {
    absl::StatusOr<XfsImage> made = XfsImage::Make(options, "file ---644 0 0 /dev/null\n");
    EXPECT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    EXPECT_THAT(filesystem, IsOk());
    inode_ = (*filesystem)->LookUp((*filesystem)->root(), "file").value();
    core_ = LogCoreOf(*image_, inode_);
  }

  XfsImage& image() { return *image_; }
  const Superblock& superblock() const { return image_->superblock(); }
  InodeNumber inode() const { return inode_; }
  DiskLogInode& core() { return core_; }

  Item ItemOf(uint32_t fields, const std::vector<Region>& forks = {}) {
    return InodeItem(*image_, inode_, fields | kLogInodeCore, core_, forks);
  }
  void Log(const Item& item) { LogBuilder(*image_).Commit({item}); }

  absl::StatusOr<std::shared_ptr<dax::File>> Open() {
    IOMAP_ASSIGN_OR_RETURN(filesystem_, image_->Open());
    return filesystem_->OpenFile(inode_);
  }
  absl::StatusOr<Attributes> Recovered() {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file, Open());
    return file->attributes();
  }

  // A block that nothing else uses, and its address.
  uint64_t FreeBlock(uint32_t number) const {
    const uint32_t ag = superblock().AgOfBlock(superblock().log_start) == 0 ? 1 : 0;
    return superblock().FsBlock(ag, 500 + number);
  }
  uint64_t FreeAddress(uint32_t number) const {
    return superblock().AddressOfBlock(FreeBlock(number));
  }

  // The mappings of the file that are no holes.
  absl::StatusOr<std::vector<Mapping>> Mappings() {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file, Open());
    std::vector<Mapping> mappings;
    IOMAP_RETURN_IF_ERROR(ForEachMapping(*file, &iomap::File::MapForRead, ByteRange::All(),
                                         [&](const Mapping& mapping, const ByteRange&) {
                                           if (mapping.type != MappingType::kHole) {
                                             mappings.push_back(mapping);
                                           }
                                           return Walk::kContinue;
                                         }));
    return mappings;
  }

 private:
  std::unique_ptr<XfsImage> image_;
  InodeNumber inode_ = 0;
  DiskLogInode core_;
  std::unique_ptr<dax::Filesystem> filesystem_;
};

Region PackedExtents(const std::vector<Extent>& extents) {
  std::vector<std::byte> bytes(extents.size() * sizeof(DiskExtent));
  for (size_t i = 0; i < extents.size(); ++i) {
    EncodeExtent(extents[i], bytes.data() + i * sizeof(DiskExtent));
  }
  return Region(bytes);
}

void PutTime(uint64_t value, uint8_t (&time)[8]) {
  backends::Store<Le64>(reinterpret_cast<std::byte*>(time), value);
}

// What versions 4 and 5 of the format have in common.
class XfsInodeRecovery : public testing::TestWithParam<std::string> {
 protected:
  InodeImage file_{GetParam() == "v5" ? tests::Arguments{}
                                      : tests::Arguments{"-m", "crc=0,finobt=0,reflink=0"}};
};

TEST_P(XfsInodeRecovery, PutsTheCoreInPlace) {
  file_.core().mode.set(0100751);
  file_.core().uid.set(11);
  file_.core().gid.set(12);
  file_.core().link_count.set(13);
  file_.core().size.set(uint64_t{1} << 40);
  file_.core().block_count.set(3);
  file_.Log(file_.ItemOf(0));
  const auto attributes = file_.Recovered();
  ASSERT_THAT(attributes, IsOk());
  EXPECT_EQ(attributes->mode, 0100751u);
  EXPECT_EQ(attributes->uid, 11u);
  EXPECT_EQ(attributes->gid, 12u);
  EXPECT_EQ(attributes->link_count, 13u);
  EXPECT_EQ(attributes->size, uint64_t{1} << 40);
  EXPECT_EQ(attributes->blocks_512, 24u);
}

TEST_P(XfsInodeRecovery, PutsAListOfExtentsInPlace) {
  file_.core().extent_count.set(2);
  file_.core().size.set(10 * kBlock);
  file_.Log(file_.ItemOf(
      kLogInodeDataExtents,
      {PackedExtents({{.file_block = 1, .start_block = file_.FreeBlock(0), .block_count = 2},
                      {.file_block = 7, .start_block = file_.FreeBlock(9), .block_count = 1}})}));
  const auto mappings = file_.Mappings();
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(MappedAt(file_.FreeAddress(0), {kBlock, 2 * kBlock}),
                                     MappedAt(file_.FreeAddress(9), {7 * kBlock, kBlock})));
}

// Puts a leaf of one extent, block 5 of the file, at free block 0, owned by `owner`, and returns
// the root above it as it is logged: with the header of a tree block and with room for more keys
// than the inode has.
Region MakeTree(InodeImage& file, InodeNumber owner) {
  const bool v5 = file.superblock().is_v5();
  const uint64_t leaf = file.FreeAddress(0);
  XfsImage& image = file.image();
  const uint32_t magic = v5 ? kExtentBtreeMagicV5 : kExtentBtreeMagicV4;
  image.Put(leaf, magic, 4);
  image.Put(leaf + offsetof(DiskLongBtreeHeader, record_count), 1, 2);
  const uint64_t header_bytes =
      v5 ? sizeof(DiskLongBtreeHeader) : offsetof(DiskLongBtreeHeader, block_number);
  image.PutExtent(leaf + header_bytes,
                  {.file_block = 5, .start_block = file.FreeBlock(1), .block_count = 3});
  if (v5) {
    image.Put(leaf + offsetof(DiskLongBtreeHeader, block_number), leaf / 512, 8);
    image.Put(leaf + offsetof(DiskLongBtreeHeader, owner), owner, 8);
    for (size_t i = 0; i < sizeof(Uuid); ++i) {
      image.Put(leaf + offsetof(DiskLongBtreeHeader, uuid) + i, file.superblock().meta_uuid[i], 1);
    }
    image.FixChecksum(leaf, kBlock, offsetof(DiskLongBtreeHeader, crc));
  }
  Region root;
  root.AddBigEndian(magic, 4).AddBigEndian(1, 2).AddBigEndian(1, 2).Add(0, 8).Add(0, 8);
  for (uint64_t i = root.bytes().size(); i < header_bytes; ++i) {
    root.Add(0, 1);
  }
  root.AddBigEndian(5, 8).Add(0, 8).Add(0, 8);
  root.AddBigEndian(file.FreeBlock(0), 8).Add(0, 8).Add(0, 8);
  file.core().format = static_cast<uint8_t>(ForkFormat::kBtree);
  file.core().extent_count.set(1);
  return root;
}

TEST_P(XfsInodeRecovery, PutsTheRootOfATreeInPlace) {
  const Region root = MakeTree(file_, file_.inode());
  file_.Log(file_.ItemOf(kLogInodeDataRoot, {root}));
  const auto mappings = file_.Mappings();
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(MappedAt(file_.FreeAddress(1), {5 * kBlock, 3 * kBlock})));
}

TEST(XfsInodeRecoveryV5, GivesATreeItsNewOwner) {
  InodeImage file({});
  const Region root = MakeTree(file, file.inode() + 1);
  file.Log(file.ItemOf(kLogInodeDataRoot, {root}));
  EXPECT_THAT(file.Mappings(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("belongs to")));
  file.Log(file.ItemOf(kLogInodeDataRoot | kLogInodeDataOwner, {root}));
  const auto mappings = file.Mappings();
  ASSERT_THAT(mappings, IsOk());
  EXPECT_THAT(*mappings, ElementsAre(MappedAt(file.FreeAddress(1), {5 * kBlock, 3 * kBlock})));
}

TEST_P(XfsInodeRecovery, ReadsItemsOf32BitMachines) {
  file_.core().size.set(777);
  Item item = file_.ItemOf(0);
  std::vector<std::byte> narrow = item[0].bytes();
  narrow.erase(narrow.begin() + 12, narrow.begin() + 16);
  item[0] = Region(narrow);
  file_.Log(item);
  EXPECT_EQ(file_.Recovered()->size, 777u);
}

TEST_P(XfsInodeRecovery, LeavesAnInodeOfAFreedBufferAlone) {
  file_.core().size.set(777);
  const uint64_t address = file_.superblock().AddressOfInode(file_.inode());
  LogBuilder log(file_.image());
  log.Commit({file_.ItemOf(0)});
  log.Commit({tests::CancelItem(address / kBlock * kBlock, kBlock)});
  EXPECT_EQ(file_.Recovered()->size, 0u);
}

TEST_P(XfsInodeRecovery, RefusesAForkThatDoesNotFit) {
  file_.Log(file_.ItemOf(kLogInodeDataExtents, {Region(4096, 0)}));
  EXPECT_THAT(file_.Open(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("4096 bytes")));
}

TEST_P(XfsInodeRecovery, RefusesAnInodeWhereNoneLies) {
  Item item = file_.ItemOf(0);
  std::vector<std::byte> head = item[0].bytes();
  backends::Store<Le64>(head.data() + 40, file_.FreeAddress(3) / 512);
  item[0] = Region(head);
  file_.Log(item);
  EXPECT_THAT(file_.Open(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no inode lies")));
}

INSTANTIATE_TEST_SUITE_P(Versions, XfsInodeRecovery, Values("v4", "v5"),
                         [](const auto& info) { return info.param; });

TEST(XfsInodeRecoveryV5, KeepsANewerInodeOfTheMedium) {
  InodeImage file({});
  file.core().size.set(777);
  file.image().Put(file.superblock().AddressOfInode(file.inode()) + offsetof(DiskInode, lsn),
                   uint64_t{1} << 32 | 1, 8);
  file.image().FixInode(file.inode());
  file.Log(file.ItemOf(0));  // of LSN 1:0
  EXPECT_EQ(file.Recovered()->size, 0u);
}

// Several transactions may begin in one record.
TEST(XfsInodeRecoveryV5, ReplaysAnInodeOfTheSameLsn) {
  InodeImage file({});
  file.core().size.set(777);
  file.image().Put(file.superblock().AddressOfInode(file.inode()) + offsetof(DiskInode, lsn),
                   uint64_t{1} << 32, 8);
  file.image().FixInode(file.inode());
  file.Log(file.ItemOf(0));
  EXPECT_EQ(file.Recovered()->size, 777u);
}

TEST(XfsInodeRecoveryV5, ReadsBothKindsOfTimes) {
  InodeImage large({"-m", "bigtime=1"});
  PutTime(uint64_t{2'147'483'648 + 100} * 1'000'000'000 + 5, large.core().modification_time);
  large.Log(large.ItemOf(0));
  EXPECT_EQ(large.Recovered()->modification_time, (Timestamp{100, 5}));

  InodeImage small({"-m", "bigtime=0"});
  PutTime(uint64_t{5} << 32 | 100, small.core().modification_time);
  small.Log(small.ItemOf(0));
  EXPECT_EQ(small.Recovered()->modification_time, (Timestamp{100, 5}));
}

// Inodes of version 2 count how often they were written, modulo 2^16.
class XfsFlushIteration : public Test {
 protected:
  uint64_t SizeAfter(uint16_t logged, uint16_t on_medium) {
    InodeImage file({"-m", "crc=0,finobt=0,reflink=0"});
    file.core().size.set(777);
    file.core().big_extent_count.set(uint64_t{logged} << 48);
    const uint64_t address = file.superblock().AddressOfInode(file.inode());
    file.image().Put(address + 30, on_medium, 2);
    file.Log(file.ItemOf(0));
    return file.Recovered()->size;
  }
};

TEST_F(XfsFlushIteration, DecidesWhichInodeIsNewer) {
  EXPECT_EQ(SizeAfter(5, 4), 777u);
  EXPECT_EQ(SizeAfter(5, 5), 777u);
  EXPECT_EQ(SizeAfter(4, 5), 0u);
  EXPECT_EQ(SizeAfter(4, 0xFFFF), 777u);
  EXPECT_EQ(SizeAfter(0xF000, 0xFFFF), 0u);
}

}  // namespace
}  // namespace iomap::xfs
