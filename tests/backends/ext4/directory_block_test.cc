#include "backends/ext4/directory_block.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

// A block of entries written by hand.
class Ext4DirectoryBlock : public testing::Test {
 protected:
  void PutEntry(size_t at, uint32_t inode, uint16_t length, const std::string& name) {
    for (size_t i = 0; i < 4; ++i) {
      bytes_[at + i] = static_cast<std::byte>(inode >> (8 * i));
    }
    bytes_[at + 4] = static_cast<std::byte>(length);
    bytes_[at + 5] = static_cast<std::byte>(length >> 8);
    bytes_[at + 6] = static_cast<std::byte>(name.size());
    bytes_[at + 7] = std::byte{1};
    for (size_t i = 0; i < name.size(); ++i) {
      bytes_[at + 8 + i] = static_cast<std::byte>(name[i]);
    }
  }

  absl::Status Walk() {
    names_.clear();
    return ForEachEntry(*volume_, directory_, EntrySpace{bytes_, 2048}, 0,
                        [this](const RawEntry& entry) {
                          names_.emplace_back(entry.name);
                          return true;
                        });
  }

  const std::unique_ptr<Volume> volume_ = Ext4Image::Make({"-b", "1024"}).value().Volume().value();
  const Inode directory_ = {.number = 42};
  std::vector<std::byte> bytes_ = std::vector<std::byte>(1024);
  std::vector<std::string> names_;
};

TEST_F(Ext4DirectoryBlock, PassesOverUnusedEntries) {
  PutEntry(0, 11, 12, "a");
  PutEntry(12, 0, 12, "gone");
  PutEntry(24, 12, 1000, "b");
  EXPECT_THAT(Walk(), IsOk());
  EXPECT_THAT(names_, ElementsAre("a", "b"));
}

TEST_F(Ext4DirectoryBlock, RefusesARecordLengthThatLeadsNowhere) {
  for (const uint16_t length : {0, 8, 11, 14, 1028, 65535}) {
    PutEntry(0, 11, length, "a");
    EXPECT_THAT(Walk(), StatusIs(kDataLoss, HasSubstr("directory byte 2048: record length")))
        << length;
  }
}

TEST_F(Ext4DirectoryBlock, RefusesANameThatIsLongerThanItsRecord) {
  PutEntry(0, 11, 12, "a");
  bytes_[6] = std::byte{5};
  PutEntry(12, 12, 1012, "b");
  EXPECT_THAT(Walk(), StatusIs(kDataLoss, HasSubstr("name length 5")));
}

TEST_F(Ext4DirectoryBlock, RefusesANameWithASlashOrAZeroByte) {
  for (const std::string& name : {std::string("a/b"), std::string("a\0b", 3)}) {
    PutEntry(0, 11, 1024, name);
    EXPECT_THAT(Walk(), StatusIs(kDataLoss, HasSubstr("slash or a zero byte")));
  }
}

TEST_F(Ext4DirectoryBlock, RefusesAnInodeThatTheFileSystemDoesNotHave) {
  PutEntry(0, 0x7FFFFFFF, 1024, "a");
  EXPECT_THAT(Walk(), StatusIs(kDataLoss, HasSubstr("inode 2147483647")));
}

TEST_F(Ext4DirectoryBlock, RefusesALinearBlockWithoutTailOrWithAWrongChecksum) {
  PutEntry(0, 11, 1024, "a");
  EXPECT_THAT(CheckDirectoryBlock(*volume_, directory_, 2, bytes_),
              StatusIs(kDataLoss, HasSubstr("tail of type")));
  PutEntry(1012, 0, 12, "");
  bytes_[1019] = static_cast<std::byte>(kDirectoryTailType);
  EXPECT_THAT(CheckDirectoryBlock(*volume_, directory_, 2, bytes_),
              StatusIs(kDataLoss, HasSubstr("checksum 0, computed")));
}

}  // namespace
}  // namespace iomap::ext4
