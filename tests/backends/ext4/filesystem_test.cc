#include "backends/ext4/filesystem.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/ext4/format.h"
#include "dax/io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/path.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/backends/ext4/journal_builder.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;

constexpr uint64_t kFeatureIncompat =
    kSuperblockOffset + offsetof(DiskSuperblock, feature_incompat);

// Where inode `number` of the first group lies in an image of 1 KiB blocks.
uint64_t InodeAddress(const Ext4Image& image, uint32_t number) {
  const uint64_t table_block =
      image.Get(2 * 1024 + offsetof(DiskGroupDescriptor, inode_table_lo), 4);
  const uint64_t inode_size =
      image.Get(kSuperblockOffset + offsetof(DiskSuperblock, inode_size), 2);
  return table_block * 1024 + (number - 1) * inode_size;
}

std::vector<std::string> NamesIn(dax::Filesystem& filesystem, InodeNumber directory,
                                 uint64_t cookie = 0) {
  std::vector<std::string> names;
  EXPECT_THAT(filesystem.ReadDirectory(directory, cookie,
                                       [&](const DirectoryEntry& entry) {
                                         names.emplace_back(entry.name);
                                         return true;
                                       }),
              IsOk());
  return names;
}

TEST(Ext4Filesystem, IsRecognisedByItsMagicAlone) {
  Ext4Image image = Ext4Image::Make({}).value();
  EXPECT_THAT(image.Open(), IsOk());
  image.Put(kSuperblockOffset + offsetof(DiskSuperblock, magic), 0, 2);
  EXPECT_THAT(image.Open(), StatusIs(kDataLoss, HasSubstr("magic 0")));
}

TEST(Ext4Filesystem, ADamagedJournalNamesTheWayAround) {
  Ext4Image image = Ext4Image::Make({"-b", "1024"}).value();
  image.Put(kFeatureIncompat, image.Get(kFeatureIncompat, 4) | kIncompatRecover, 4);
  image.FixSuperblock();
  ASSERT_THAT(image.Open(), IsOk());
  EXPECT_EQ(image.Open().value()->info().value().journal, JournalState::kClean)
      << "an empty journal has nothing to replay";
  const auto journal = image.Open().value()->OpenFile(8).value();
  Mapping first;
  ASSERT_EQ(journal->MapForRead(ByteRange{0, 1}, absl::MakeSpan(&first, 1)).value(), 1u);
  image.Flip(first.address);
  EXPECT_THAT(image.Open(), StatusIs(kDataLoss, AllOf(HasSubstr("ext4 journal superblock: magic"),
                                                      HasSubstr("--no-replay"))));
  const auto as_it_lies = image.Open({.dirty_journal = backends::DirtyJournal::kIgnore});
  ASSERT_THAT(as_it_lies, IsOk());
  EXPECT_EQ((*as_it_lies)->info().value().journal, JournalState::kDamaged);
}

TEST(Ext4Filesystem, ReplaysADirtyJournalUnlessItIsToBeIgnored) {
  Ext4Image image = Ext4Image::Make({"-b", "1024", "-J", "size=1"}).value();
  tests::JournalBuilder journal = tests::JournalBuilder::Make(image, {}).value();
  journal.Write({{8000, 1}});
  journal.Commit();
  EXPECT_EQ(image.Open().value()->info().value().journal, JournalState::kReplayed);
  const auto as_it_lies = image.Open({.dirty_journal = backends::DirtyJournal::kIgnore});
  EXPECT_EQ((*as_it_lies)->info().value().journal, JournalState::kDirty);
}

TEST(Ext4Filesystem, ReadsOnFromACookie) {
  const auto filesystem =
      Ext4Image::Make({"-b", "1024"}, {"mkdir a", "mkdir b", "mkdir c"}).value().Open().value();
  EXPECT_THAT(NamesIn(*filesystem, kRootInode), ElementsAre("lost+found", "a", "b", "c"));
  uint64_t cookie = 0;
  EXPECT_THAT(filesystem->ReadDirectory(kRootInode, 0,
                                        [&](const DirectoryEntry& entry) {
                                          cookie = entry.next_cookie;
                                          return entry.name != "a";
                                        }),
              IsOk());
  EXPECT_THAT(NamesIn(*filesystem, kRootInode, cookie), ElementsAre("b", "c"));
}

TEST(Ext4Filesystem, AnInlineDirectoryHasAParentAndGoesOnInTheAttribute) {
  std::vector<std::string> commands = {"mkdir d"};
  for (const char* name : {"one", "two", "three", "four", "five", "six"}) {
    commands.push_back(std::string("mkdir d/") + name);
  }
  const auto filesystem =
      Ext4Image::Make({"-b", "1024", "-O", "inline_data"}, commands).value().Open().value();
  const InodeNumber directory = ResolvePath(*filesystem, "/d", LastLink::kKeep).value();
  EXPECT_THAT(NamesIn(*filesystem, directory),
              ElementsAre("one", "two", "three", "four", "five", "six"));
  EXPECT_EQ(filesystem->LookUp(directory, "..").value(), kRootInode);
  EXPECT_EQ(filesystem->LookUp(directory, ".").value(), directory);
  EXPECT_THAT(filesystem->LookUp(directory, "six"), IsOk());
}

TEST(Ext4Filesystem, OpenedTwiceAtATimeIsTheSameFile) {
  const auto filesystem = Ext4Image::Make({}).value().Open().value();
  const auto first = filesystem->OpenFile(kRootInode).value();
  EXPECT_EQ(filesystem->OpenFile(kRootInode).value(), first);
}

TEST(Ext4Filesystem, AnInodeThatIsNotInUseIsNotFound) {
  const auto filesystem = Ext4Image::Make({}).value().Open().value();
  EXPECT_THAT(filesystem->OpenFile(0), StatusIs(kNotFound));
  EXPECT_THAT(filesystem->OpenFile(13), StatusIs(kNotFound, HasSubstr("inode 13")));
  EXPECT_THAT(filesystem->OpenFile(uint64_t{1} << 40), StatusIs(kNotFound));
}

TEST(Ext4Filesystem, RefusesAnInodeWithAWrongChecksum) {
  Ext4Image image = Ext4Image::Make({"-b", "1024"}).value();
  image.Flip(InodeAddress(image, 11) + offsetof(DiskInode, mtime));
  EXPECT_THAT(image.Open().value()->OpenFile(11),
              StatusIs(kDataLoss, HasSubstr("ext4 inode 11: checksum")));
}

TEST(Ext4Filesystem, RefusesATimeWithTooManyNanoseconds) {
  Ext4Image image = Ext4Image::Make({"-b", "1024", "-O", "^metadata_csum"}).value();
  image.Put(InodeAddress(image, 11) + offsetof(DiskInode, mtime_extra), 0xFFFFFFFC, 4);
  EXPECT_THAT(image.Open().value()->OpenFile(11),
              StatusIs(kDataLoss, HasSubstr("ext4 inode 11: nanoseconds 1073741823")));
}

TEST(Ext4Filesystem, RefusesADirectoryWithOneBlockInTwoPlaces) {
  Ext4Image image = Ext4Image::Make({"-b", "1024", "-t", "ext2"}, {"mkdir d"}).value();
  const InodeNumber number = ResolvePath(*image.Open().value(), "/d", LastLink::kKeep).value();
  const uint64_t inode = InodeAddress(image, static_cast<uint32_t>(number));
  const uint64_t pointers = inode + offsetof(DiskInode, block);
  image.Put(pointers + 4, image.Get(pointers, 4), 4);
  image.Put(inode + offsetof(DiskInode, size_lo), 2048, 4);
  EXPECT_THAT(
      image.Open().value()->ReadDirectory(number, 0, [](const DirectoryEntry&) { return true; }),
      StatusIs(kDataLoss, HasSubstr("is also directory block 0")));
}

TEST(Ext4Filesystem, RefusesAGroupDescriptorWithAWrongChecksum) {
  for (const char* features : {"metadata_csum", "^metadata_csum,uninit_bg"}) {
    Ext4Image image = Ext4Image::Make({"-b", "1024", "-O", features}).value();
    image.Flip(2 * 1024 + offsetof(DiskGroupDescriptor, free_blocks_lo));
    EXPECT_THAT(image.Open().value()->OpenFile(11),
                StatusIs(kDataLoss, HasSubstr("group descriptor 0, block 2: checksum")))
        << features;
  }
}

TEST(Ext4Filesystem, RefusesEncryptedFilesOneByOne) {
  Ext4Image image =
      Ext4Image::Make({"-b", "1024", "-O", "encrypt,^metadata_csum"}, {"mkdir a", "mkdir b"})
          .value();
  const InodeNumber encrypted = ResolvePath(*image.Open().value(), "/a", LastLink::kKeep).value();
  const uint64_t flags =
      InodeAddress(image, static_cast<uint32_t>(encrypted)) + offsetof(DiskInode, flags);
  image.Put(flags, image.Get(flags, 4) | kInodeEncrypted, 4);
  const auto filesystem = image.Open().value();
  Mapping mapping;
  EXPECT_THAT(filesystem->OpenFile(encrypted).value()->MapForRead(ByteRange{0, 1},
                                                                  absl::MakeSpan(&mapping, 1)),
              StatusIs(kFailedPrecondition, HasSubstr("encrypted")));
  EXPECT_THAT(filesystem->LookUp(encrypted, "x"),
              StatusIs(kFailedPrecondition, HasSubstr("encrypted")));
  EXPECT_THAT(ResolvePath(*filesystem, "/b", LastLink::kKeep), IsOk());
}

TEST(Ext4Filesystem, ReadLinkIsForLinksAlone) {
  const auto filesystem = Ext4Image::Make({"-b", "1024"}, {"symlink short target",
                                                           "symlink long " + std::string(100, 'x')})
                              .value()
                              .Open()
                              .value();
  const auto target = [&](absl::string_view path) {
    return filesystem->ReadLink(ResolvePath(*filesystem, path, LastLink::kKeep).value());
  };
  EXPECT_EQ(target("/short").value(), "target");
  EXPECT_EQ(target("/long").value(), std::string(100, 'x'));
  EXPECT_THAT(filesystem->ReadLink(kRootInode), StatusIs(kFailedPrecondition));
}

TEST(Ext4Filesystem, RefusesALinkTargetWithAZeroByte) {
  Ext4Image image =
      Ext4Image::Make({"-b", "1024"}, {"symlink long " + std::string(100, 'x')}).value();
  const auto whole = image.Open().value();
  const InodeNumber link = ResolvePath(*whole, "/long", LastLink::kKeep).value();
  const auto file = whole->OpenFile(link).value();
  Mapping first;
  ASSERT_EQ(file->MapForRead(ByteRange{0, 1}, absl::MakeSpan(&first, 1)).value(), 1u);
  image.Put(first.address + 42, 0, 1);
  EXPECT_THAT(image.Open().value()->ReadLink(link), StatusIs(kDataLoss, HasSubstr("byte 42")));
}

TEST(Ext4Filesystem, NamesTheDirectoryOfAnUnknownHash) {
  Ext4Image image =
      Ext4Image::Make({"-b", "1024", "-O", "^metadata_csum"}, {"mkdir hashed"}).value();
  const auto whole = image.Open().value();
  const InodeNumber directory = ResolvePath(*whole, "/hashed", LastLink::kKeep).value();
  const auto file = whole->OpenFile(directory).value();
  Mapping first;
  ASSERT_EQ(file->MapForRead(ByteRange{0, 1}, absl::MakeSpan(&first, 1)).value(), 1u);
  const uint64_t flags =
      InodeAddress(image, static_cast<uint32_t>(directory)) + offsetof(DiskInode, flags);
  image.Put(flags, image.Get(flags, 4) | kInodeIndexed, 4);
  image.Put(first.address + kIndexRootInfoOffset + offsetof(DiskIndexRootInfo, hash_version), 9, 1);
  EXPECT_THAT(image.Open().value()->LookUp(directory, "name"),
              StatusIs(absl::StatusCode::kUnimplemented,
                       AllOf(HasSubstr("ext4 inode 12"), HasSubstr("hash version 9"))));
}

}  // namespace
}  // namespace iomap::ext4
