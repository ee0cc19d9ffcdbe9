#include "backends/xfs/directory_name.h"

#include "gtest/gtest.h"

namespace iomap::xfs {
namespace {

TEST(XfsDirectoryName, HashesAsTheFormatSays) {
  EXPECT_EQ(HashName(".", NameCase::kExact), 0x2Eu);
  EXPECT_EQ(HashName("..", NameCase::kExact), 0x172Eu);
  // Four bytes: b0 << 21 ^ b1 << 14 ^ b2 << 7 ^ b3.
  EXPECT_EQ(HashName("abcd", NameCase::kExact), 0x61u << 21 ^ 0x62u << 14 ^ 0x63u << 7 ^ 0x64u);
}

TEST(XfsDirectoryName, HashesAlikeWhatDiffersInCaseAlone) {
  EXPECT_EQ(HashName("MiXed", NameCase::kIgnored), HashName("mIxED", NameCase::kIgnored));
  EXPECT_NE(HashName("MiXed", NameCase::kExact), HashName("mIxED", NameCase::kExact));
}

TEST(XfsDirectoryName, ComparesLettersOfLatin1WithoutCase) {
  EXPECT_TRUE(EqualIgnoringCase("\xC4x", "\xE4X"));
  EXPECT_FALSE(EqualIgnoringCase("\xD7", "\xF7"));  // signs, not letters
  EXPECT_FALSE(EqualIgnoringCase("a", "ab"));
}

}  // namespace
}  // namespace iomap::xfs
