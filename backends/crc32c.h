#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace iomap::backends {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected polynomial 0x82F63B78, without any
// inversion: chainable, ExtendCrc32c(ExtendCrc32c(seed, a), b) is the checksum of a followed by b.
// ext4 stores it as it is, from a seed of ~0; XFS stores the complement. Uses the SSE4.2
// instruction where the processor has it.
uint32_t ExtendCrc32c(uint32_t crc, absl::Span<const std::byte> bytes);

// The same by tables alone: what ExtendCrc32c does on a processor without the instruction.
uint32_t ExtendCrc32cByTables(uint32_t crc, absl::Span<const std::byte> bytes);

// The same for `count` zero bytes: what a checksum field counts as.
uint32_t ExtendCrc32cByZeros(uint32_t crc, size_t count);

}  // namespace iomap::backends
