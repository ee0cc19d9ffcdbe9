#include "backends/ext4/directory_hash.h"

#include <array>
#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::HasSubstr;
using tests::StatusIs;
using Seed = std::array<uint32_t, 4>;

// The expected values are debugfs's: dx_hash -h VERSION [-s SEED] NAME.
constexpr Seed kNoSeed = {};
// 01234567-89ab-cdef-0123-456789abcdef as four little-endian words.
constexpr Seed kSeed = {0x67452301, 0xefcdab89, 0x67452301, 0xefcdab89};
constexpr char kLongName[] = "a-name-of-more-than-thirty-two-bytes-for-two-rounds";

uint32_t Hash(HashVersion version, const Seed& seed, absl::string_view name) {
  return DirectoryHash(version, seed, name).value();
}

TEST(Ext4DirectoryHash, LegacyAgreesWithDebugfs) {
  EXPECT_EQ(Hash(HashVersion::kLegacy, kNoSeed, "a"), 0xe74b53e2u);
  EXPECT_EQ(Hash(HashVersion::kLegacy, kNoSeed, "hello"), 0x32252546u);
  EXPECT_EQ(Hash(HashVersion::kLegacy, kSeed, kLongName), 0xcb8b229eu);
}

TEST(Ext4DirectoryHash, HalfMd4AgreesWithDebugfs) {
  EXPECT_EQ(Hash(HashVersion::kHalfMd4, kNoSeed, "a"), 0xd5fa7d7au);
  EXPECT_EQ(Hash(HashVersion::kHalfMd4, kNoSeed, "hello"), 0x1746da32u);
  EXPECT_EQ(Hash(HashVersion::kHalfMd4, kNoSeed, kLongName), 0x2b4ce8dcu);
  EXPECT_EQ(Hash(HashVersion::kHalfMd4, kSeed, "hello"), 0xa26e4a80u);
}

TEST(Ext4DirectoryHash, TeaAgreesWithDebugfs) {
  EXPECT_EQ(Hash(HashVersion::kTea, kNoSeed, "a"), 0x6d0ea4c0u);
  EXPECT_EQ(Hash(HashVersion::kTea, kNoSeed, "sixteen-byte-nam"), 0x827f7df2u);
  EXPECT_EQ(Hash(HashVersion::kTea, kNoSeed, kLongName), 0x49255d2cu);
}

TEST(Ext4DirectoryHash, SignedAndUnsignedDifferOnBytesAbove127Alone) {
  const absl::string_view name = "gr\xc3\xbcn";
  EXPECT_EQ(Hash(HashVersion::kLegacy, kNoSeed, name), 0xc202f150u);
  EXPECT_EQ(Hash(HashVersion::kHalfMd4, kNoSeed, name), 0x95d9284u);
  EXPECT_EQ(Hash(HashVersion::kTea, kNoSeed, name), 0xa7ae33b6u);
  for (const auto& [signed_version, unsigned_version] :
       {std::pair(HashVersion::kLegacy, HashVersion::kLegacyUnsigned),
        std::pair(HashVersion::kHalfMd4, HashVersion::kHalfMd4Unsigned),
        std::pair(HashVersion::kTea, HashVersion::kTeaUnsigned)}) {
    EXPECT_NE(Hash(signed_version, kNoSeed, name), Hash(unsigned_version, kNoSeed, name));
    EXPECT_EQ(Hash(signed_version, kNoSeed, "plain"), Hash(unsigned_version, kNoSeed, "plain"));
  }
}

TEST(Ext4DirectoryHash, LeavesTheLowestBitToTheIndex) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(Hash(HashVersion::kHalfMd4, kNoSeed, name) & 1, 0u) << name;
  }
}

TEST(Ext4DirectoryHash, RefusesOtherVersionsByNumber) {
  EXPECT_THAT(DirectoryHash(static_cast<HashVersion>(6), kNoSeed, "a"),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("version 6")));
}

}  // namespace
}  // namespace iomap::ext4
