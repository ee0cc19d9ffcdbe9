#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace iomap::ext4 {

// CRC-16/ARC: reflected polynomial 0xA001, no inversion, chainable; the checksum of group
// descriptors with uninit_bg (from a start of 0xFFFF).
uint16_t ExtendCrc16(uint16_t crc, absl::Span<const std::byte> bytes);

}  // namespace iomap::ext4
