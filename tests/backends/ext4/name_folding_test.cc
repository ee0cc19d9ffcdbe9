#include "backends/ext4/name_folding.h"

#include "gtest/gtest.h"

namespace iomap::ext4 {
namespace {

TEST(NameFolding, LeavesOutCaseAndWaysToWriteALetter) {
  EXPECT_EQ(FoldName("ReadMe.TXT"), "readme.txt");
  EXPECT_EQ(FoldName("STRASSE"), FoldName("stra\u00dfe"));
  EXPECT_EQ(FoldName("\u00c9"), FoldName("e\u0301"));
  EXPECT_EQ(FoldName("\u212a"), "k");  // the sign for kelvin
  EXPECT_NE(FoldName("e"), FoldName("\u00e9"));
}

TEST(NameFolding, LeavesOutWhatIsIgnored) {
  EXPECT_EQ(FoldName("a\u200db"), "ab");  // zero width joiner
  EXPECT_EQ(FoldName("a\u00adb"), "ab");  // soft hyphen
}

TEST(NameFolding, KeepsWhatIsNotUtf8) {
  EXPECT_EQ(FoldName("A\xff"), "A\xff");
  EXPECT_EQ(FoldName(""), "");
}

}  // namespace
}  // namespace iomap::ext4
