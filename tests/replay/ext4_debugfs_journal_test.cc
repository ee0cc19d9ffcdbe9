#include <algorithm>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "dax/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay/ext4_journal_facts.h"
#include "tests/support/command.h"
#include "tests/support/dirty_image.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kBlock = 1024;
constexpr uint64_t kFirst = 8000;  // blocks from here on are free
constexpr uint64_t kBlocks = 40;

// How debugfs is to write a journal.
struct DebugfsJournal {
  std::string name;
  std::string open;  // the command
  std::string features;
  std::string fact;
};

// Journals that debugfs writes, against e2fsck's replay: no root, no mount.
class Ext4DebugfsJournal : public testing::TestWithParam<DebugfsJournal> {
 protected:
  static absl::StatusOr<std::string> BlocksOf(const std::string& image_path) {
    std::ifstream image(image_path, std::ios::binary);
    std::string bytes(kBlocks * kBlock, '\0');
    image.seekg(kFirst * kBlock);
    image.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return image ? absl::StatusOr<std::string>(bytes) : absl::UnavailableError(image_path);
  }
};

TEST_P(Ext4DebugfsJournal, IsReplayedAsE2fsckReplaysIt) {
  IOMAP_SKIP_IF(WhyNoProgram("debugfs"));
  IOMAP_SKIP_IF(WhyNoProgram("e2fsck"));
  SCOPED_TRACE(RerunLine());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  const std::string image = workshop->image_path();
  ASSERT_THAT(OutputOf({"mkfs.ext4", "-q", "-F", "-b", "1024", "-J", "size=1", "-O",
                        GetParam().features, image, "8M"}),
              IsOk());
  // Eight blocks, the second of which begins with the journal's magic number.
  std::string contents(8 * kBlock, '\0');
  for (size_t i = 0; i < contents.size(); ++i) {
    contents[i] = static_cast<char>(i * 7 + i / kBlock);
  }
  contents.replace(kBlock, 4, "\xC0\x3B\x39\x98");
  const std::string source = workshop->folder / "contents";
  std::ofstream(source, std::ios::binary) << contents;
  std::string commands = GetParam().open + "\n";
  for (uint64_t i = 0; i < 4; ++i) {
    const uint64_t begin = kFirst + i * 6;
    std::vector<uint64_t> blocks(8);
    std::iota(blocks.begin(), blocks.end(), begin);
    absl::StrAppend(&commands, "jw -b ", absl::StrJoin(blocks, ","), " ", source, "\n");
    absl::StrAppend(&commands, "jw -r ", begin + 3, ",", begin + 5, "\n");
  }
  absl::StrAppend(&commands, "jw -b ", kFirst + 5, " ", source, "\n");
  absl::StrAppend(&commands, "jw -c -b ", kFirst + 30, " ", source, "\njc\n");
  ASSERT_THAT(OutputOf({"debugfs", "-w", "-f", "-", image}, commands), IsOk());

  const absl::StatusOr<std::set<std::string>> facts = JournalFactsOf(image);
  ASSERT_THAT(facts, IsOk());
  EXPECT_THAT(*facts, testing::IsSupersetOf({std::string("transactions"), std::string("revoke"),
                                             std::string("escape"), GetParam().fact}));
  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(image);
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info().value().journal, JournalState::kReplayed);
  const auto root = (*filesystem)->OpenFile((*filesystem)->root()).value();
  const auto ours = root->devices().front()->bytes().subspan(kFirst * kBlock, kBlocks * kBlock);

  const std::string checked = workshop->folder / "checked";
  ASSERT_THAT(CopyImage(image, checked), IsOk());
  ASSERT_THAT(RunCommand({"e2fsck", "-fy", "-E", "journal_only", checked}), IsOk());
  const absl::StatusOr<std::string> theirs = BlocksOf(checked);
  ASSERT_THAT(theirs, IsOk());
  EXPECT_NE(*theirs, BlocksOf(image).value()) << "e2fsck replayed nothing";
  for (uint64_t i = 0; i < kBlocks; ++i) {
    const absl::string_view their_block = absl::string_view(*theirs).substr(i * kBlock, kBlock);
    const auto our_block = ours.subspan(i * kBlock, kBlock);
    EXPECT_TRUE(std::equal(
        their_block.begin(), their_block.end(), our_block.begin(),
        [](char theirs, std::byte ours) { return static_cast<std::byte>(theirs) == ours; }))
        << "block " << kFirst + i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Versions, Ext4DebugfsJournal,
    testing::Values(DebugfsJournal{"None", "jo", "^metadata_csum,^64bit", "checksums none"},
                    DebugfsJournal{"None64bit", "jo", "^metadata_csum,64bit", "checksums none"},
                    DebugfsJournal{"V2", "jo -c -v 2", "^64bit", "checksums v2"},
                    DebugfsJournal{"V2With64bit", "jo -c -v 2", "64bit", "checksums v2"},
                    DebugfsJournal{"V3", "jo -c -v 3", "^64bit", "checksums v3"},
                    DebugfsJournal{"V3With64bit", "jo -c -v 3", "64bit", "checksums v3"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace iomap::tests
