#include "backends/crc32c.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace iomap::backends {
namespace {

absl::Span<const std::byte> BytesOf(absl::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// The checksum as RFC 3720 defines it: from all ones, and inverted.
uint32_t Standard(absl::Span<const std::byte> bytes) { return ~ExtendCrc32c(~0u, bytes); }

std::vector<std::byte> RandomBytes(size_t size) {
  std::mt19937 random(size);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) {
    byte = std::byte(random());
  }
  return bytes;
}

TEST(Crc32c, AgreesWithTheExamplesOfRfc3720) {
  EXPECT_EQ(Standard(std::vector<std::byte>(32)), 0x8A9136AAu);
  EXPECT_EQ(Standard(std::vector<std::byte>(32, std::byte{0xFF})), 0x62A8AB43u);
  std::vector<std::byte> ascending(32);
  std::vector<std::byte> descending(32);
  for (size_t i = 0; i < 32; ++i) {
    ascending[i] = std::byte(i);
    descending[i] = std::byte(31 - i);
  }
  EXPECT_EQ(Standard(ascending), 0x46DD794Eu);
  EXPECT_EQ(Standard(descending), 0x113FDB5Cu);
}

TEST(Crc32c, AgreesWithTheCheckValueOfTheCatalogues) {
  EXPECT_EQ(Standard(BytesOf("123456789")), 0xE3069283u);
}

TEST(Crc32c, OfNothingIsTheSeed) {
  EXPECT_EQ(ExtendCrc32c(0x12345678, {}), 0x12345678u);
  EXPECT_EQ(ExtendCrc32cByTables(0x12345678, {}), 0x12345678u);
}

TEST(Crc32c, TablesAndInstructionAgreeAtEverySizeAndAlignment) {
  const std::vector<std::byte> bytes = RandomBytes(300);
  for (size_t begin = 0; begin < 9; ++begin) {
    for (size_t size = 0; size + begin <= bytes.size(); ++size) {
      const auto part = absl::MakeConstSpan(bytes).subspan(begin, size);
      ASSERT_EQ(ExtendCrc32c(0xDEADBEEF, part), ExtendCrc32cByTables(0xDEADBEEF, part))
          << size << " bytes from " << begin;
    }
  }
}

TEST(Crc32c, IsChainableAtEveryPlace) {
  const std::vector<std::byte> bytes = RandomBytes(100);
  const auto all = absl::MakeConstSpan(bytes);
  const uint32_t at_once = ExtendCrc32c(~0u, all);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(ExtendCrc32c(ExtendCrc32c(~0u, all.first(cut)), all.subspan(cut)), at_once);
  }
}

TEST(Crc32c, ByZerosIsTheChecksumOfSoManyZeroBytes) {
  for (const size_t count : {0, 1, 4, 15, 16, 17, 32, 1000}) {
    EXPECT_EQ(ExtendCrc32cByZeros(0x12345678, count),
              ExtendCrc32c(0x12345678, std::vector<std::byte>(count)));
  }
}

}  // namespace
}  // namespace iomap::backends
