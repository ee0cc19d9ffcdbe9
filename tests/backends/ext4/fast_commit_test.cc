#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/fast_commit_format.h"
#include "backends/ext4/file.h"
#include "backends/ext4/group.h"
#include "backends/ext4/inode_record.h"
#include "backends/ext4/journal_recovery.h"
#include "dax/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/backends/ext4/journal_builder.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::JournalBuilder;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kBlock = 1024;
constexpr uint32_t kSequence = 17;

// Records of fast commits, packed.
class Records {
 public:
  Records& Start(uint32_t sequence = kSequence, uint32_t features = 0) {
    return Add(kFastCommitStart, {features, sequence});
  }
  Records& AddRange(uint32_t inode, uint32_t file_block, uint32_t start, uint16_t length) {
    Head(kFastCommitAddRange, sizeof(DiskFastCommitAddRange));
    Put<Le32>(inode);
    Put<Le32>(file_block);
    Put<Le16>(length);
    Put<Le16>(0);
    Put<Le32>(start);
    return *this;
  }
  Records& DeleteRange(uint32_t inode, uint32_t file_block, uint32_t length) {
    return Add(kFastCommitDeleteRange, {inode, file_block, length});
  }
  Records& Name(uint16_t tag, uint32_t directory, uint32_t inode, const std::string& name) {
    Head(tag, sizeof(DiskFastCommitEntry) + name.size());
    Put<Le32>(directory);
    Put<Le32>(inode);
    return Raw(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(name.data()), name.size()));
  }
  Records& Inode(uint32_t inode, absl::Span<const std::byte> record) {
    Head(kFastCommitInode, sizeof(DiskFastCommitInode) + record.size());
    Put<Le32>(inode);
    return Raw(record);
  }
  Records& Tail(uint32_t sequence = kSequence) {
    Head(kFastCommitTail, sizeof(DiskFastCommitTail));
    Put<Le32>(sequence);
    const uint32_t checksum =
        backends::ExtendCrc32c(0, absl::MakeConstSpan(bytes_).subspan(commit_begin_));
    Put<Le32>(checksum);
    commit_begin_ = bytes_.size();
    return *this;
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  template <typename Number>
  void Put(uint32_t value) {
    bytes_.resize(bytes_.size() + sizeof(Number));
    backends::Store<Number>(bytes_.data() + bytes_.size() - sizeof(Number),
                            static_cast<decltype(Number{}.get())>(value));
  }
  void Head(uint16_t tag, size_t length) {
    Put<Le16>(tag);
    Put<Le16>(static_cast<uint32_t>(length));
  }
  Records& Add(uint16_t tag, const std::vector<uint32_t>& values) {
    Head(tag, values.size() * sizeof(Le32));
    for (const uint32_t value : values) {
      Put<Le32>(value);
    }
    return *this;
  }
  Records& Raw(absl::Span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  std::vector<std::byte> bytes_;
  size_t commit_begin_ = 0;
};

// The record of a directory without blocks.
std::vector<std::byte> NewDirectory() {
  DiskInode fields{};
  fields.mode.set(040755);
  fields.link_count.set(2);
  fields.flags.set(kInodeExtents);
  std::vector<std::byte> record(256);
  std::memcpy(record.data(), &fields, sizeof fields);
  return record;
}

class Ext4FastCommit : public testing::Test {
 protected:
  Ext4FastCommit()
      : Ext4FastCommit(
            Ext4Image::Make({"-b", "1024", "-J", "size=1"},
                            {"mkdir d", "mkdir e", "mkdir old", "set_inode_field old flags 0"})
                .value()) {}
  explicit Ext4FastCommit(Ext4Image image)
      : image_(std::move(image)),
        journal_(JournalBuilder::Make(image_, {.has_fast_commits = true}).value()),
        inode_(static_cast<uint32_t>(
            ResolvePath(*image_.Open().value(), "/d", LastLink::kKeep).value())) {}

  absl::Status Open(Records& records) {
    journal_.PutFastCommitBlock(0, records.bytes());
    auto opened = image_.Open();
    if (opened.ok()) {
      filesystem_ = *std::move(opened);
      return absl::OkStatus();
    }
    return opened.status();
  }

  // The block behind `file_block` of the directory; 0 for a hole.
  uint64_t BlockOf(uint64_t file_block) {
    const auto file = filesystem_->OpenFile(inode_).value();
    const Mapping mapping = MappingAt(*file, &iomap::File::MapForRead, file_block * kBlock).value();
    return mapping.has_address() ? mapping.AddressOf(file_block * kBlock) / kBlock : 0;
  }
  std::vector<std::string> Names(uint32_t inode) {
    std::vector<std::string> names;
    EXPECT_THAT(filesystem_->ReadDirectory(inode, 0,
                                           [&](const DirectoryEntry& entry) {
                                             names.emplace_back(entry.name);
                                             return true;
                                           }),
                IsOk());
    return names;
  }
  absl::StatusOr<InodeNumber> LookUp(const std::string& path) {
    return ResolvePath(*filesystem_, path, LastLink::kKeep);
  }

  Ext4Image image_;
  JournalBuilder journal_;
  uint32_t inode_;
  std::unique_ptr<dax::Filesystem> filesystem_;
};

TEST_F(Ext4FastCommit, MapsAndUnmapsRanges) {
  Records records;
  records.Start().AddRange(inode_, 5, 8000, 10).DeleteRange(inode_, 7, 2).Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(filesystem_->info().value().journal, JournalState::kReplayed);
  EXPECT_EQ(BlockOf(6), 8001u);
  EXPECT_EQ(BlockOf(7), 0u);
  EXPECT_EQ(BlockOf(9), 8004u);
}

TEST_F(Ext4FastCommit, LinksAndUnlinksNames) {
  Records records;
  records.Start()
      .Name(kFastCommitLink, kRootInode, inode_, "again")
      .Name(kFastCommitUnlink, kRootInode, inode_, "d")
      .Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(LookUp("/again").value(), inode_);
  EXPECT_THAT(LookUp("/d"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(LookUp("/e"), IsOk());
}

TEST_F(Ext4FastCommit, CreatesAnInodeThatWasNeverUsed) {
  constexpr uint32_t kNew = 40;
  DiskInode fields{};
  fields.mode.set(0100644);
  fields.link_count.set(1);
  fields.size_lo.set(3 * kBlock);
  fields.flags.set(kInodeExtents);
  std::vector<std::byte> record(256);
  std::memcpy(record.data(), &fields, sizeof fields);
  Records records;
  records.Start()
      .Inode(kNew, record)
      .AddRange(kNew, 0, 8000, 3)
      .Name(kFastCommitCreate, kRootInode, kNew, "new")
      .Inode(kNew, record)
      .Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(LookUp("/new").value(), kNew);
  const Attributes attributes = filesystem_->OpenFile(kNew).value()->attributes().value();
  EXPECT_EQ(attributes.size, 3 * kBlock);
  EXPECT_EQ(attributes.blocks_512, 6u);
}

TEST_F(Ext4FastCommit, MakesTheDotsOfANewDirectoryAndGrowsTheOldOne) {
  constexpr uint32_t kNew = 40;
  Records records;
  records.Start().Inode(kNew, NewDirectory());
  records.Name(kFastCommitCreate, inode_, kNew, "new");
  journal_.PutFastCommitBlock(0, records.bytes());
  for (int i = 0; i < 8; ++i) {
    records.Name(kFastCommitLink, kNew, inode_ + 1, absl::StrCat(i, std::string(40, 'n')));
  }
  records.Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(filesystem_->LookUp(kNew, "..").value(), inode_);
  EXPECT_EQ(filesystem_->LookUp(kNew, ".").value(), kNew);
  EXPECT_EQ(LookUp(absl::StrCat("/d/new/7", std::string(40, 'n'))).value(), inode_ + 1);
}

TEST_F(Ext4FastCommit, IsNothingWhenItFollowsAnotherTransaction) {
  Records records;
  records.Start(kSequence - 1).AddRange(inode_, 5, 8000, 10).Tail(kSequence - 1);
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(filesystem_->info().value().journal, JournalState::kClean);
  EXPECT_EQ(BlockOf(5), 0u);
}

TEST_F(Ext4FastCommit, EndsAtAWrongChecksumBehindAWholeCommit) {
  Records records;
  records.Start().AddRange(inode_, 5, 8000, 1).Tail();
  const size_t second = records.bytes().size();
  records.AddRange(inode_, 6, 8001, 1).Tail();
  records.bytes()[second + 9] ^= std::byte{1};
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(BlockOf(5), 8000u);
  EXPECT_EQ(BlockOf(6), 0u);
}

TEST_F(Ext4FastCommit, RefusesAWrongChecksumInTheFirstCommit) {
  Records records;
  records.Start().AddRange(inode_, 5, 8000, 1).Tail();
  records.bytes()[14] ^= std::byte{1};
  EXPECT_THAT(Open(records), StatusIs(kDataLoss, HasSubstr("fast commit at byte")));
}

TEST_F(Ext4FastCommit, RefusesFeaturesThatAreNotKnown) {
  Records records;
  records.Start(kSequence, /*features=*/4).Tail();
  EXPECT_THAT(Open(records), StatusIs(absl::StatusCode::kUnimplemented,
                                      HasSubstr("fast-commit features that are not known: 4")));
}

TEST_F(Ext4FastCommit, RefusesWhatCannotBeRight) {
  Records past_the_device;
  past_the_device.Start().AddRange(inode_, 5, 8190, 10).Tail();
  EXPECT_THAT(Open(past_the_device), StatusIs(kDataLoss, HasSubstr("in block 8190")));
  Records slash;
  slash.Start().Name(kFastCommitLink, kRootInode, inode_, "a/b").Tail();
  EXPECT_THAT(Open(slash), StatusIs(kDataLoss, HasSubstr("a slash")));
  Records no_inode;
  no_inode.Start().Name(kFastCommitCreate, kRootInode, 50, "a").Tail();
  EXPECT_THAT(Open(no_inode), StatusIs(kDataLoss, HasSubstr("ext4 inode 50: not in use")));
}

TEST_F(Ext4FastCommit, RefusesTheInodeThatItCannotChangeAndNoOther) {
  const auto old = static_cast<uint32_t>(  // without extents, as older file systems have them
      ResolvePath(*image_.Open().value(), "/old", LastLink::kKeep).value());
  Records records;
  records.Start()
      .AddRange(old, 0, 8000, 1)
      .Name(kFastCommitLink, old, inode_, "a")
      .AddRange(inode_, 5, 8000, 10)
      .Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_EQ(BlockOf(6), 8001u);
  EXPECT_THAT(filesystem_->OpenFile(old),
              StatusIs(absl::StatusCode::kUnimplemented,
                       HasSubstr(absl::StrCat("ext4 inode ", old, ": to be changed"))));
}

// Directories inside their inodes.
class Ext4InlineFastCommit : public Ext4FastCommit {
 protected:
  Ext4InlineFastCommit()
      : Ext4FastCommit(Ext4Image::Make({"-b", "1024", "-J", "size=1", "-O", "inline_data"},
                                       {"mkdir d", "mkdir e"})
                           .value()) {}

  bool IsInside(uint32_t inode) {
    const auto file = filesystem_->OpenFile(inode).value();
    return MappingAt(*file, &iomap::File::MapForRead, 0)->type == MappingType::kInline;
  }
};

TEST_F(Ext4InlineFastCommit, LinksAndUnlinksNames) {
  Records records;
  records.Start()
      .Name(kFastCommitLink, inode_, inode_ + 1, "one")
      .Name(kFastCommitLink, inode_, inode_ + 1, "one")
      .Name(kFastCommitLink, inode_, inode_ + 1, "two")
      .Name(kFastCommitLink, inode_, inode_ + 1, "three")
      .Name(kFastCommitUnlink, inode_, inode_ + 1, "two")
      .Name(kFastCommitUnlink, inode_, inode_ + 1, "none")
      .Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_TRUE(IsInside(inode_));
  EXPECT_THAT(Names(inode_), testing::ElementsAre("one", "three"));
  EXPECT_EQ(LookUp("/d/three").value(), inode_ + 1);
  EXPECT_EQ(filesystem_->LookUp(inode_, "..").value(), kRootInode);
}

TEST_F(Ext4InlineFastCommit, MovesNamesWithoutRoomToABlock) {
  Records records;
  records.Start();
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) {
    names.push_back(absl::StrCat("name-", i));
    records.Name(kFastCommitLink, inode_, inode_ + 1, names.back());
  }
  records.Name(kFastCommitUnlink, inode_, inode_ + 1, names.front()).Tail();
  names.erase(names.begin());
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_FALSE(IsInside(inode_));
  EXPECT_THAT(Names(inode_), testing::UnorderedElementsAreArray(names));
  EXPECT_EQ(filesystem_->LookUp(inode_, "..").value(), kRootInode);
  EXPECT_NE(BlockOf(0), 0u);
}

TEST_F(Ext4InlineFastCommit, MakesANewDirectoryAndTakesOverTheInode) {
  // The record of an empty directory inside its inode: the first one's, as it stands.
  const auto volume = image_.Volume().value();
  const InodeRecord model = InodeRecord::Read(*volume, inode_).value();
  const std::vector<std::byte> record(model.bytes().begin(), model.bytes().end());
  constexpr uint32_t kNew = 40;
  Records records;
  records.Start()
      .Inode(kNew, record)
      .Name(kFastCommitCreate, inode_, kNew, "new")
      .Name(kFastCommitLink, kNew, inode_ + 1, "in")
      .Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_TRUE(IsInside(kNew));
  EXPECT_EQ(filesystem_->LookUp(kNew, "..").value(), inode_);
  EXPECT_EQ(LookUp("/d/new/in").value(), inode_ + 1);

  // As Linux: what the inode's own record says comes in place of the names of before.
  Records later;
  later.Start()
      .Name(kFastCommitLink, inode_, inode_ + 1, std::string(200, 'n'))
      .Name(kFastCommitLink, inode_, inode_ + 1, "gone")
      .Inode(inode_, record)
      .Tail();
  ASSERT_THAT(Open(later), IsOk());
  EXPECT_TRUE(IsInside(inode_));
  EXPECT_THAT(Names(inode_), testing::IsEmpty());
}

// Directories whose names' case does not count.
class Ext4FoldingFastCommit : public Ext4FastCommit {
 protected:
  Ext4FoldingFastCommit()
      : Ext4FastCommit(
            Ext4Image::Make({"-b", "1024", "-J", "size=1", "-O", "casefold", "-E", "encoding=utf8"},
                            {"mkdir d", "mkdir e", "set_inode_field d flags 0x40080000"})
                .value()) {}
};

TEST_F(Ext4FoldingFastCommit, TakesSpellingsOfANameForOne) {
  Records records;
  records.Start()
      .Name(kFastCommitLink, inode_, inode_ + 1, "One")
      .Name(kFastCommitLink, inode_, inode_ + 1, "ONE")  // is there
      .Name(kFastCommitLink, inode_, inode_ + 1, "stra\u00dfe")
      .Name(kFastCommitLink, inode_, inode_ + 1, "kept")
      .Name(kFastCommitLink, inode_, inode_ + 1, "two")
      .Name(kFastCommitUnlink, inode_, inode_ + 1, "STRASSE")
      .Name(kFastCommitUnlink, inode_, inode_ + 1, "TWO")
      .Name(kFastCommitLink, inode_, inode_ + 1, "Two")
      .Name(kFastCommitUnlink, inode_, inode_ + 1, "\xff")  // not UTF-8: itself alone
      .Tail();
  ASSERT_THAT(Open(records), IsOk());
  EXPECT_THAT(Names(inode_), testing::UnorderedElementsAre("One", "kept", "Two"));
}

TEST_F(Ext4FastCommit, TakesNoBlockOfAGroupWhoseBitmapIsDamaged) {
  constexpr uint32_t kNew = 40;
  Records records;
  records.Start().Inode(kNew, NewDirectory()).Name(kFastCommitCreate, inode_, kNew, "new").Tail();
  const std::unique_ptr<Volume> volume = image_.Volume().value();
  image_.Flip(ReadGroup(*volume, 0).value().block_bitmap_block * kBlock + 1000);
  EXPECT_THAT(Open(records), StatusIs(kDataLoss, HasSubstr("none of 8192 blocks is free")));
}

TEST_F(Ext4FastCommit, PassesOverRangesOfInodesThatAreNotInUse) {
  Records records;
  records.Start().AddRange(50, 5, 8000, 1).Name(kFastCommitLink, 2, 50, "a").Tail();
  EXPECT_THAT(Open(records), IsOk());
  EXPECT_THAT(LookUp("/a"), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace iomap::ext4
