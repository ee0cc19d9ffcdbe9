#include "backends/endian.h"

#include <array>

#include "gtest/gtest.h"

namespace iomap::backends {
namespace {

constexpr std::array<std::byte, 9> kBytes = {std::byte{0xFF}, std::byte{0x01}, std::byte{0x02},
                                             std::byte{0x03}, std::byte{0x04}, std::byte{0x05},
                                             std::byte{0x06}, std::byte{0x07}, std::byte{0x88}};

TEST(Endian, LittleEndianHasTheLowByteFirstAtAnyAlignment) {
  EXPECT_EQ(Load<Le16>(&kBytes[1]), 0x0201u);
  EXPECT_EQ(Load<Le32>(&kBytes[1]), 0x04030201u);
  EXPECT_EQ(Load<Le64>(&kBytes[1]), 0x8807060504030201u);
}

TEST(Endian, BigEndianHasTheHighByteFirstAtAnyAlignment) {
  EXPECT_EQ(Load<Be16>(&kBytes[1]), 0x0102u);
  EXPECT_EQ(Load<Be32>(&kBytes[1]), 0x01020304u);
  EXPECT_EQ(Load<Be64>(&kBytes[1]), 0x0102030405060788u);
}

// A record as it lies on a medium: no padding whatever the order of its fields.
struct Record {
  unsigned char tag;
  Le32 little;
  Be16 big;
};
static_assert(sizeof(Record) == 7);

TEST(Endian, CopiesARecordOutWithoutPadding) {
  const Record record = CopyOut<Record>(kBytes.data());
  EXPECT_EQ(record.tag, 0xFF);
  EXPECT_EQ(record.little.get(), 0x04030201u);
  EXPECT_EQ(record.big.get(), 0x0506u);
}

}  // namespace
}  // namespace iomap::backends
