#include "backends/ext4/crc32.h"

#include <cstddef>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace iomap::ext4 {
namespace {

absl::Span<const std::byte> BytesOf(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

TEST(Crc32, HasTheCheckValueOfCrc32Mpeg2) {
  EXPECT_EQ(ExtendCrc32(~0u, BytesOf("123456789")), 0x0376E6E7u);
}

TEST(Crc32, IsChainable) {
  EXPECT_EQ(ExtendCrc32(ExtendCrc32(~0u, BytesOf("1234")), BytesOf("56789")),
            ExtendCrc32(~0u, BytesOf("123456789")));
}

}  // namespace
}  // namespace iomap::ext4
