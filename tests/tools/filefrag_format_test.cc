#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/captured_output.h"
#include "tests/tools/reported_file.h"

namespace iomap::tests {
namespace {

// The expected texts are what filefrag 1.47.0 prints for such files, but for the file's name.

TEST(FilefragFormat, PrintsExtentsInBlocksAndMarksJumps) {
  ReportedListedFile file(
      20 * 4096, {MappedAt(100 * 4096, {0, 4 * 4096}), MappedAt(110 * 4096, {10 * 4096, 2 * 4096}),
                  MappedAt(50 * 4096, {18 * 4096, 2 * 4096})});
  EXPECT_EQ(file.In("filefrag"),
            "Filesystem type is: ef53\n"
            "File size of disk.img:/a is 81920 (20 blocks of 4096 bytes)\n"
            " ext:     logical_offset:        physical_offset: length:   expected: flags:\n"
            "   0:        0..       3:        100..       103:      4:            \n"
            "   1:       10..      11:        110..       111:      2:            \n"
            "   2:       18..      19:         50..        51:      2:        118: last,eof\n"
            "disk.img:/a: 2 extents found\n");
}

TEST(FilefragFormat, ListsBlocksPastTheEndOfFile) {
  ReportedListedFile file(
      65536, {MappedAt(4096 * 10, {0, 65536}), UnwrittenAt(4096 * 40, {131072, 4096})});
  EXPECT_EQ(
      file.In("filefrag"),
      "Filesystem type is: ef53\n"
      "File size of disk.img:/a is 65536 (16 blocks of 4096 bytes)\n"
      " ext:     logical_offset:        physical_offset: length:   expected: flags:\n"
      "   0:        0..      15:         10..        25:     16:             eof\n"
      "   1:       32..      32:         40..        40:      1:         42: last,unwritten,eof\n"
      "disk.img:/a: 2 extents found\n");
}

TEST(FilefragFormat, PrintsNoTableForAFileWithoutBlocks) {
  ReportedListedFile file(4096, {});
  EXPECT_EQ(file.In("filefrag"),
            "Filesystem type is: ef53\n"
            "File size of disk.img:/a is 4096 (1 block of 4096 bytes)\n"
            "disk.img:/a: 0 extents found\n");
}

TEST(FilefragFormat, CountsInlineDataInBytes) {
  Mapping inline_data = InlineIn({0, 6});
  inline_data.address = 301864;
  ReportedListedFile file(6, {inline_data});
  EXPECT_EQ(file.In("filefrag"),
            "Filesystem type is: ef53\n"
            "File size of disk.img:/a is 6 (1 block of 4096 bytes)\n"
            " ext:     logical_offset:        physical_offset: length:   expected: flags:\n"
            "   0:        0..       5:     301864..    301869:      6:             "
            "last,not_aligned,inline,eof\n"
            "disk.img:/a: 1 extent found\n");
}

TEST(FilefragFormat, SpellsEveryFlagAsFilefragDoes) {
  ReportedListedFile file(
      3 * 4096, {MappedAt(0, {0, 4096}, MappingFlag::kShared | MappingFlag::kMerged),
                 MappedAt(8192, {4096, 4096}, MappingFlag::kEncoded), DelallocIn({8192, 4096})});
  EXPECT_THAT(
      file.In("filefrag"),
      testing::AllOf(testing::HasSubstr(" merged,shared\n"), testing::HasSubstr(" encoded\n"),
                     testing::HasSubstr(" last,unknown_loc,delalloc,eof\n")));
}

TEST(FilefragFormat, WidensTheOffsetColumnForALargeFileAndTheOnesBehindIt) {
  ReportedListedFile large(uint64_t{1} << 42,
                           {MappedAt(143137 * 4096, {uint64_t{1073741600} * 4096, 4096})});
  ReportedListedFile small(4096, {MappedAt(4096, {0, 4096})}, "/b");
  const std::string text = Captured([&](tools::Output& output) {
    const auto format = tools::MakeFilefragFormat(output);
    EXPECT_THAT(format->Write(large.report()), IsOk());
    EXPECT_THAT(format->Write(small.report()), IsOk());
  });
  EXPECT_EQ(text,
            "Filesystem type is: ef53\n"
            "File size of disk.img:/a is 4398046511104 (1073741824 blocks of 4096 bytes)\n"
            " ext:       logical_offset:        physical_offset: length:   expected: flags:\n"
            "   0: 1073741600..1073741600:     143137..    143137:      1: 1073741600: last\n"
            "disk.img:/a: 1 extent found\n"
            "File size of disk.img:/b is 4096 (1 block of 4096 bytes)\n"
            " ext:       logical_offset:        physical_offset: length:   expected: flags:\n"
            "   0:         0..        0:          1..         1:      1:             last,eof\n"
            "disk.img:/b: 1 extent found\n");
}

TEST(FilefragFormat, NamesTheTypeOfAnXfs) {
  ReportedListedFile file(0, {});
  file.info().backend = "xfs";
  EXPECT_THAT(file.In("filefrag"), testing::StartsWith("Filesystem type is: 58465342\n"));
}

}  // namespace
}  // namespace iomap::tests
