#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mapping_makers.h"
#include "tests/tools/reported_file.h"

namespace iomap::tests {
namespace {

// The expected texts are what `fiemap -v` of xfs_io 6.1.0 prints for such files, but for the name.

TEST(XfsIoFormat, PrintsSectorsAndHoles) {
  ReportedListedFile file(
      200000, {MappedAt(142872576, {4096, 4096}), UnwrittenAt(142913536, {40960, 12288})});
  EXPECT_EQ(file.In("xfs_io"),
            "disk.img:/a:\n"
            " EXT: FILE-OFFSET      BLOCK-RANGE      TOTAL FLAGS\n"
            "   0: [0..7]:          hole                 8\n"
            "   1: [8..15]:         279048..279055       8   0x0\n"
            "   2: [16..79]:        hole                64\n"
            "   3: [80..103]:       279128..279151      24 0x801\n"
            "   4: [104..389]:      hole               286\n");
}

TEST(XfsIoFormat, PrintsNothingButTheNameOfAFileWithoutBlocks) {
  ReportedListedFile file(1 << 20, {});
  EXPECT_EQ(file.In("xfs_io"), "disk.img:/a:\n");
}

TEST(XfsIoFormat, PrintsFlagsInHexadecimal) {
  ReportedListedFile file(4096, {MappedAt(512, {0, 4096}, MappingFlag::kShared)});
  EXPECT_EQ(file.In("xfs_io"),
            "disk.img:/a:\n"
            " EXT: FILE-OFFSET      BLOCK-RANGE      TOTAL FLAGS\n"
            "   0: [0..7]:          1..8                 8 0x2001\n");
}

TEST(XfsIoFormat, WidensColumnsForTheFirst32ExtentsOnly) {
  std::vector<Mapping> mappings;
  for (uint64_t i = 0; i < 33; ++i) {
    mappings.push_back(MappedAt(i * 8192, {i * 8192, 4096}));
  }
  mappings.back().offset = uint64_t{17179869184} * 512;
  ReportedListedFile file(mappings.back().end(), mappings);
  const std::string text = file.In("xfs_io");
  EXPECT_THAT(text, testing::HasSubstr(" EXT: FILE-OFFSET      BLOCK-RANGE      TOTAL FLAGS\n"));
  EXPECT_THAT(
      text, testing::HasSubstr("  64: [17179869184..17179869191]: 512..519             8   0x1\n"));

  mappings.erase(mappings.begin());
  ReportedListedFile wide(mappings.back().end(), mappings);
  EXPECT_THAT(
      wide.In("xfs_io"),
      testing::HasSubstr(" EXT: FILE-OFFSET                BLOCK-RANGE      TOTAL FLAGS\n"));
}

TEST(XfsIoFormat, ShowsInlineDataAsXfsIoDoes) {
  Mapping inline_data = InlineIn({0, 6});
  inline_data.address = 301864;
  ReportedListedFile file(6, {inline_data});
  EXPECT_EQ(file.In("xfs_io"),
            "disk.img:/a:\n"
            " EXT: FILE-OFFSET               BLOCK-RANGE      TOTAL FLAGS\n"
            "   0: [0..18446744073709551615]: 589..588             0 0x301\n");
}

}  // namespace
}  // namespace iomap::tests
