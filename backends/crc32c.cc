#include "backends/crc32c.h"

#include <algorithm>
#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace iomap::backends {
namespace {

constexpr uint32_t kReflectedPolynomial = 0x82F63B78;

// kTables[k][b]: the checksum of byte b followed by k zero bytes.
constexpr std::array<std::array<uint32_t, 256>, 8> MakeTables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t previous = tables[k - 1][byte];
      tables[k][byte] = (previous >> 8) ^ tables[0][previous & 0xFF];
    }
  }
  return tables;
}
constexpr std::array<std::array<uint32_t, 256>, 8> kTables = MakeTables();

uint32_t ExtendByTables(uint32_t crc, const std::byte* bytes, size_t size) {
  for (; size >= 8; bytes += 8, size -= 8) {
    uint32_t next = 0;
    for (size_t i = 0; i < 8; ++i) {
      const uint32_t mixed =
          static_cast<uint32_t>(bytes[i]) ^ (i < 4 ? (crc >> (8 * i)) & 0xFF : 0);
      next ^= kTables[7 - i][mixed];
    }
    crc = next;
  }
  for (; size > 0; ++bytes, --size) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint32_t>(*bytes)) & 0xFF];
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t ExtendByInstruction(uint32_t crc, const std::byte* bytes,
                                                               size_t size) {
  uint64_t wide = crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  uint32_t narrow = static_cast<uint32_t>(wide);
  for (; size > 0; ++bytes, --size) {
    narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*bytes));
  }
  return narrow;
}
#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, absl::Span<const std::byte> bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) {
    return ExtendByInstruction(crc, bytes.data(), bytes.size());
  }
#endif
  return ExtendCrc32cByTables(crc, bytes);
}

uint32_t ExtendCrc32cByTables(uint32_t crc, absl::Span<const std::byte> bytes) {
  return ExtendByTables(crc, bytes.data(), bytes.size());
}

uint32_t ExtendCrc32cByZeros(uint32_t crc, size_t count) {
  static constexpr std::array<std::byte, 16> kZeros{};
  while (count > 0) {
    const size_t step = std::min(count, kZeros.size());
    crc = ExtendCrc32c(crc, absl::MakeConstSpan(kZeros).first(step));
    count -= step;
  }
  return crc;
}

}  // namespace iomap::backends
