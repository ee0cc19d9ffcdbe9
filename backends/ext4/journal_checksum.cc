#include "backends/ext4/journal_checksum.h"

#include <array>

#include "backends/crc32c.h"

namespace iomap::ext4 {

uint32_t JournalBlockChecksum(const JournalSuperblock& journal, absl::Span<const std::byte> block,
                              size_t field) {
  uint32_t crc = backends::ExtendCrc32c(journal.checksum_seed, block.first(field));
  crc = backends::ExtendCrc32cByZeros(crc, sizeof crc);
  return backends::ExtendCrc32c(crc, block.subspan(field + sizeof crc));
}

uint32_t LoggedBlockChecksum(const JournalSuperblock& journal, uint32_t sequence,
                             absl::Span<const std::byte> block) {
  std::array<std::byte, sizeof sequence> big_endian;
  for (size_t i = 0; i < big_endian.size(); ++i) {
    big_endian[i] = static_cast<std::byte>(sequence >> (24 - 8 * i));
  }
  const uint32_t crc = backends::ExtendCrc32c(journal.checksum_seed, big_endian);
  return backends::ExtendCrc32c(crc, block);
}

}  // namespace iomap::ext4
