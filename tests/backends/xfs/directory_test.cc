#include "backends/xfs/directory.h"

#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/xfs/directory_format.h"
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
using testing::HasSubstr;
using testing::SizeIs;
using tests::IsOk;
using tests::ProtoDirectory;
using tests::StatusIs;
using tests::XfsImage;

struct Listed {
  std::string name;
  InodeNumber inode;
  uint64_t next_cookie;
};

absl::StatusOr<std::vector<Listed>> List(iomap::Filesystem& filesystem, InodeNumber directory,
                                         uint64_t cookie = 0, size_t most = ~size_t{0}) {
  std::vector<Listed> entries;
  IOMAP_RETURN_IF_ERROR(
      filesystem.ReadDirectory(directory, cookie, [&](const DirectoryEntry& entry) {
        entries.push_back({std::string(entry.name), entry.inode, entry.next_cookie});
        return entries.size() < most;
      }));
  return entries;
}

// A geometry; and how many entries make a directory of each form in it: short, block, leaf, node.
struct Geometry {
  const char* name;
  tests::Arguments options;
};

class XfsDirectoryForms : public testing::TestWithParam<std::tuple<Geometry, int>> {
 protected:
  void SetUp() override {
    count_ = std::get<1>(GetParam());
    const auto image =
        XfsImage::Make(std::get<0>(GetParam()).options, ProtoDirectory("dir", count_, "some-name"));
    ASSERT_THAT(image, IsOk());
    auto filesystem = image->Open();
    ASSERT_THAT(filesystem, IsOk());
    filesystem_ = *std::move(filesystem);
    directory_ = ResolvePath(*filesystem_, "/dir", LastLink::kKeep).value_or(0);
  }

  int count_ = 0;
  std::unique_ptr<dax::Filesystem> filesystem_;
  InodeNumber directory_ = 0;
};

TEST_P(XfsDirectoryForms, ListEveryEntryAndFindIt) {
  const auto entries = List(*filesystem_, directory_);
  ASSERT_THAT(entries, IsOk());
  ASSERT_THAT(*entries, SizeIs(count_));
  for (const Listed& entry : *entries) {
    ASSERT_TRUE(absl::StartsWith(entry.name, "some-name-"));
    EXPECT_EQ(filesystem_->LookUp(directory_, entry.name).value_or(0), entry.inode);
  }
}

TEST_P(XfsDirectoryForms, DoNotFindOtherNames) {
  for (const std::string& name : {std::string("some-name-"), std::string("Some-name-0"),
                                  absl::StrCat("some-name-", count_), std::string(255, 'x')}) {
    EXPECT_THAT(filesystem_->LookUp(directory_, name), StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST_P(XfsDirectoryForms, FindDotAndDotDot) {
  EXPECT_EQ(filesystem_->LookUp(directory_, ".").value_or(0), directory_);
  EXPECT_EQ(filesystem_->LookUp(directory_, "..").value_or(0), filesystem_->root());
}

TEST_P(XfsDirectoryForms, GoOnFromEveryCookie) {
  const auto entries = List(*filesystem_, directory_);
  ASSERT_THAT(entries, IsOk());
  for (size_t i = 0; i + 1 < entries->size(); i += 1 + entries->size() / 20) {
    const auto next = List(*filesystem_, directory_, (*entries)[i].next_cookie, 1);
    ASSERT_THAT(next, IsOk());
    ASSERT_THAT(*next, SizeIs(1));
    EXPECT_EQ(next->front().name, (*entries)[i + 1].name);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Geometries, XfsDirectoryForms,
    testing::Combine(
        testing::Values(Geometry{"v5", {}}, Geometry{"small_blocks", {"-b", "size=1024"}},
                        Geometry{"large_directory_blocks", {"-b", "size=1024", "-n", "size=16384"}},
                        Geometry{"v4", {"-m", "crc=0"}},
                        Geometry{"v4_without_types", {"-m", "crc=0", "-n", "ftype=0"}},
                        Geometry{"v4_smallest_blocks", {"-m", "crc=0", "-b", "size=512"}}),
        testing::Values(0, 3, 30, 300, 5000)),
    [](const auto& parameters) {
      return absl::StrCat(std::get<0>(parameters.param).name, "_", std::get<1>(parameters.param));
    });

TEST(XfsDirectory, IgnoresCaseWhenTheFileSystemDoes) {
  for (const int count : {3, 300}) {
    const auto image = XfsImage::Make({"-n", "version=ci"}, ProtoDirectory("Dir", count, "File"));
    ASSERT_THAT(image, IsOk());
    const auto filesystem = image->Open();
    ASSERT_THAT(filesystem, IsOk());
    const auto exact = ResolvePath(**filesystem, "/Dir/File-2", LastLink::kKeep);
    ASSERT_THAT(exact, IsOk());
    EXPECT_EQ(ResolvePath(**filesystem, "/dIR/fILE-2", LastLink::kKeep).value_or(0), *exact);
  }
}

// A directory of 300 entries: two blocks of entries or more, and an index.
class XfsDamagedDirectory : public testing::Test {
 protected:
  static constexpr uint64_t kBlock = 4096;

  void SetUp() override {
    absl::StatusOr<XfsImage> made = XfsImage::Make({}, ProtoDirectory("dir", 300, "file"));
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    directory_ = ResolvePath(**filesystem, "/dir", LastLink::kKeep).value_or(0);
    const auto file = (*filesystem)->OpenFile(directory_);
    ASSERT_THAT(file, IsOk());
    ASSERT_THAT(
        ForEachMapping(**file, &File::MapForRead, ByteRange::All(),
                       [&](const Mapping& mapping, const ByteRange&) {
                         for (uint64_t done = 0; mapping.has_address() && done < mapping.length;
                              done += kBlock) {
                           blocks_.push_back({mapping.offset + done, mapping.address + done});
                         }
                         return Walk::kContinue;
                       }),
        IsOk());
  }

  struct Block {
    uint64_t offset;  // in the directory
    uint64_t address;
  };

  uint64_t AddressOf(uint64_t offset) const {
    for (const Block& block : blocks_) {
      if (block.offset == offset) {
        return block.address;
      }
    }
    ADD_FAILURE() << "no block at " << offset;
    return 0;
  }

  void FixData(uint64_t address) {
    image_->FixChecksum(address, kBlock, offsetof(DiskDirectoryDataHeader, crc));
  }

  absl::Status ListAll() const {
    IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image_->Open());
    return List(*filesystem, directory_).status();
  }

  absl::Status LookUp(absl::string_view name) const {
    IOMAP_ASSIGN_OR_RETURN(const auto filesystem, image_->Open());
    return filesystem->LookUp(directory_, name).status();
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber directory_ = 0;
  std::vector<Block> blocks_;
};

TEST_F(XfsDamagedDirectory, FailsAtAFlippedByteOfABlockOfEntries) {
  image_->Flip(AddressOf(kBlock) + 500);
  EXPECT_THAT(ListAll(), StatusIs(absl::StatusCode::kDataLoss,
                                  AllOf(HasSubstr(absl::StrCat("inode ", directory_)),
                                        HasSubstr("directory block 1: checksum"))));
}

TEST_F(XfsDamagedDirectory, FailsAtAFlippedByteOfTheIndex) {
  for (const Block& block : blocks_) {
    if (block.offset >= kDirectoryIndexOffset) {
      image_->Flip(block.address + kBlock - 100);
    }
  }
  EXPECT_THAT(LookUp("file-1"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")));
  EXPECT_THAT(ListAll(), IsOk());
}

TEST_F(XfsDamagedDirectory, FailsAtAnEntryThatPassesItsBlock) {
  const uint64_t first = AddressOf(0) + sizeof(DiskDirectoryDataHeader);
  image_->Put(first + 8, 255, 1);
  image_->Put(AddressOf(0) + kBlock - 8, 0, 8);
  FixData(AddressOf(0));
  EXPECT_THAT(ListAll(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("entry at 64")));
}

TEST_F(XfsDamagedDirectory, FailsAtAFreeRangeOfNoBytes) {
  const uint64_t first = AddressOf(0) + sizeof(DiskDirectoryDataHeader);
  image_->Put(first, uint64_t{kDirectoryFreeTag} << 16, 4);
  FixData(AddressOf(0));
  EXPECT_THAT(ListAll(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("free range of 0")));
}

TEST_F(XfsDamagedDirectory, FailsAtASlashInAName) {
  const uint64_t first = AddressOf(0) + sizeof(DiskDirectoryDataHeader);
  image_->Put(first + 9, '/', 1);
  FixData(AddressOf(0));
  EXPECT_THAT(ListAll(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("slash")));
}

TEST_F(XfsDamagedDirectory, FailsAtAnInodeThatCannotExist) {
  const uint64_t first = AddressOf(0) + sizeof(DiskDirectoryDataHeader);
  image_->Put(first, uint64_t{1} << 50, 8);
  FixData(AddressOf(0));
  EXPECT_THAT(ListAll(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cannot exist")));
}

TEST_F(XfsDamagedDirectory, FailsAtABlockThatIsMappedTwice) {
  const Superblock& superblock = image_->superblock();
  const uint32_t linear_block = static_cast<uint32_t>(AddressOf(0) / kBlock);
  const uint64_t block =
      superblock.FsBlock(linear_block / superblock.ag_blocks, linear_block % superblock.ag_blocks);
  image_->SetExtents(directory_, {{{.file_block = 0, .start_block = block, .block_count = 1},
                                   {.file_block = 1, .start_block = block, .block_count = 1}}});
  EXPECT_THAT(ListAll(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("where block 0 lies")));
}

TEST_F(XfsDamagedDirectory, FailsAtAnIndexThatPointsAtNoEntry) {
  for (const Block& block : blocks_) {
    const uint64_t magic = image_->Get(block.address + 8, 2);
    if (block.offset < kDirectoryIndexOffset || magic == kNodeMagicV5) {
      continue;
    }
    const uint64_t count = image_->Get(block.address + offsetof(DiskIndexHeaderV5, count), 2);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t place = block.address + sizeof(DiskIndexHeaderV5) + i * 8 + 4;
      image_->Put(place, image_->Get(place, 4) + 1, 4);
    }
    image_->FixChecksum(block.address, kBlock, offsetof(DiskIndexHeaderV5, crc));
  }
  EXPECT_THAT(LookUp("file-77"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("entry")));
}

TEST(XfsShortFormDirectory, FailsWhereItsEntriesPassTheInode) {
  auto image = XfsImage::Make({}, ProtoDirectory("dir", 3, "file"));
  ASSERT_THAT(image, IsOk());
  const InodeNumber root = image->superblock().root_inode;
  image->Put(image->ForkOf(root), 200, 1);
  image->FixInode(root);
  const auto filesystem = image->Open();
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_THAT(List(**filesystem, root), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("of 200")));
}

}  // namespace
}  // namespace iomap::xfs
