#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace iomap::xfs {

struct Superblock;

// True when the four bytes at `crc_offset` hold the checksum of `bytes`: CRC-32C from ~0 with the
// result inverted, little-endian, the field itself counting as zeros.
bool ChecksumMatches(absl::Span<const std::byte> bytes, size_t crc_offset);

// Makes them hold it.
void PutChecksum(absl::Span<std::byte> bytes, size_t crc_offset);

// Where a version 5 metadata block says which block it is, and whose. All offsets in bytes.
struct SelfDescription {
  size_t crc;
  size_t block_number;  // u64, 512-byte units from the start of the device
  size_t uuid;
  size_t owner;
  size_t owner_bytes;  // 4 or 8
};

// Checks what `block`, read from the bytes at `address`, says of itself. DataLoss whose message has
// no place: the caller puts it in front.
absl::Status CheckSelfDescription(const Superblock& superblock, const SelfDescription& layout,
                                  absl::Span<const std::byte> block, uint64_t address,
                                  uint64_t owner);

}  // namespace iomap::xfs
