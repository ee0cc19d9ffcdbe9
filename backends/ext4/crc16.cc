#include "backends/ext4/crc16.h"

#include <array>

namespace iomap::ext4 {
namespace {

constexpr std::array<uint16_t, 256> MakeTable() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xA001 : 0);
    }
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}
constexpr std::array<uint16_t, 256> kTable = MakeTable();

}  // namespace

uint16_t ExtendCrc16(uint16_t crc, absl::Span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    crc = static_cast<uint16_t>(crc >> 8 ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF]);
  }
  return crc;
}

}  // namespace iomap::ext4
