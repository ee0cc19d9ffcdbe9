#include "backends/ext4/orphans.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ext4/file.h"
#include "backends/ext4/inode_record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::ElementsAre;
using testing::StartsWith;
using tests::Ext4Image;
using tests::IsOk;

constexpr uint64_t kBlock = 1024;

// Files of 400 blocks, of extents or of pointers, that are cut while they are orphans of the list.
class Ext4Orphans : public testing::TestWithParam<const char*> {
 protected:
  // `orphans` is a chain of inodes of the image; inode 12 is "a", 13 is "b".
  void Make(const std::vector<uint32_t>& orphans, uint32_t behind_the_last = 0,
            const std::vector<std::string>& more_commands = {}) {
    const std::string file = "/bin/bash";  // more than 400 KiB, and not of zeros
    std::vector<std::string> commands = {absl::StrCat("write ", file, " a"),
                                         absl::StrCat("write ", file, " b")};
    for (const char* name : {"a", "b"}) {
      commands.push_back(absl::StrCat("set_inode_field ", name, " size ", 300 * kBlock + 100));
    }
    for (size_t i = 0; i < orphans.size(); ++i) {
      const uint32_t next = i + 1 < orphans.size() ? orphans[i + 1] : behind_the_last;
      commands.push_back(absl::StrCat("set_inode_field <", orphans[i], "> dtime @", next));
    }
    commands.insert(commands.end(), more_commands.begin(), more_commands.end());
    commands.push_back(absl::StrCat("set_super_value last_orphan ", orphans.front()));
    volume_ = Ext4Image::Make({"-t", GetParam(), "-b", "1024"}, commands).value().Volume().value();
  }

  bool Process() {
    actions_.clear();
    const auto processed = ProcessOrphans(*volume_, [this](const backends::ReplayAction& action) {
      actions_.push_back(action.what);
    });
    EXPECT_THAT(processed, IsOk());
    return processed.value_or(false);
  }

  // Blocks that the file maps, and what it says it has.
  uint64_t MappedBlocks(uint32_t inode) const {
    uint64_t bytes = 0;
    const std::shared_ptr<File> file = File::Open(*volume_, inode).value();
    EXPECT_THAT(ForEachMapping(*file, &iomap::File::MapForRead, ByteRange{0, 1 << 30},
                               [&](const Mapping& mapping, const ByteRange& part) {
                                 bytes += mapping.has_address() ? part.length : 0;
                                 return Walk::kContinue;
                               }),
                IsOk());
    return bytes / kBlock;
  }

  std::unique_ptr<Volume> volume_;
  std::vector<std::string> actions_;
};

TEST_P(Ext4Orphans, CutsWhatHasLinksToItsSizeAndZerosTheTail) {
  Make({13, 12});
  const uint64_t before = ReadInode(*volume_, 12).value().attributes.blocks_512;
  const uint64_t mapped = MappedBlocks(12);
  ASSERT_GT(mapped, 400u);
  EXPECT_TRUE(Process());
  EXPECT_THAT(actions_,
              ElementsAre("orphan inode 13, cut to its size", "orphan inode 12, cut to its size"));
  EXPECT_EQ(MappedBlocks(12), 301u);
  const uint64_t after = ReadInode(*volume_, 12).value().attributes.blocks_512;
  EXPECT_GE(before - after, 2 * (mapped - 301));
  const std::shared_ptr<File> file = File::Open(*volume_, 12).value();
  const uint64_t end = 300 * kBlock + 100;
  const Mapping last = MappingAt(*file, &iomap::File::MapForRead, end).value();
  for (uint64_t offset = end; offset < 301 * kBlock; ++offset) {
    ASSERT_EQ(volume_->device().bytes()[last.AddressOf(offset)], std::byte{0}) << offset;
  }
}

TEST_P(Ext4Orphans, LeavesADamagedFileAsItIsAndGoesOn) {
  Make({13, 12}, 0,
       {absl::StrCat("set_inode_field b block[", GetParam() == std::string("ext2") ? "DIND" : "0",
                     "] 0x7fffffff")});
  EXPECT_TRUE(Process());
  ASSERT_EQ(actions_.size(), 2u);
  EXPECT_THAT(actions_[0], StartsWith("orphan inode 13, not cut: ext4 inode 13"));
  EXPECT_EQ(actions_[1], "orphan inode 12, cut to its size");
  EXPECT_EQ(MappedBlocks(12), 301u);
}

TEST_P(Ext4Orphans, EndsAtAnInodeThatIsInTheListAlready) {
  Make({12, 13}, /*behind_the_last=*/12);
  EXPECT_TRUE(Process());
  EXPECT_EQ(actions_.size(), 2u);
}

TEST_P(Ext4Orphans, EndsAtAnInodeThatCannotBeOne) {
  Make({12}, /*behind_the_last=*/2);
  EXPECT_TRUE(Process());
  EXPECT_EQ(actions_.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Types, Ext4Orphans, testing::Values("ext2", "ext4"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace iomap::ext4
