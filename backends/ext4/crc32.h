#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace iomap::ext4 {

// CRC-32 of Ethernet with the highest bit first and no inversion (polynomial 0x04C11DB7),
// chainable: the checksum of transactions of jbd2's first version, from a start of ~0.
uint32_t ExtendCrc32(uint32_t crc, absl::Span<const std::byte> bytes);

}  // namespace iomap::ext4
