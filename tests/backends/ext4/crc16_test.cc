#include "backends/ext4/crc16.h"

#include <cstddef>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace iomap::ext4 {
namespace {

absl::Span<const std::byte> BytesOf(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

TEST(Crc16, HasTheCheckValueOfCrc16Arc) { EXPECT_EQ(ExtendCrc16(0, BytesOf("123456789")), 0xBB3D); }

TEST(Crc16, IsChainable) {
  EXPECT_EQ(ExtendCrc16(ExtendCrc16(0xFFFF, BytesOf("1234")), BytesOf("56789")),
            ExtendCrc16(0xFFFF, BytesOf("123456789")));
}

}  // namespace
}  // namespace iomap::ext4
