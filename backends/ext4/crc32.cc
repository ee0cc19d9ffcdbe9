#include "backends/ext4/crc32.h"

#include <array>

namespace iomap::ext4 {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte << 24;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc << 1) ^ ((crc >> 31) != 0 ? 0x04C11DB7 : 0);
    }
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

}  // namespace

uint32_t ExtendCrc32(uint32_t crc, absl::Span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    crc = crc << 8 ^ kTable[crc >> 24 ^ static_cast<uint8_t>(byte)];
  }
  return crc;
}

}  // namespace iomap::ext4
