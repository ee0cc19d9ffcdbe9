#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "backends/xfs/log_item_format.h"

namespace iomap::xfs {

// Where a version 5 block that is logged as a buffer has the fields that recovery needs; bytes.
struct BufferLayout {
  LogBufferKind kind;
  uint32_t magic;
  uint16_t magic_offset;
  uint16_t magic_bytes;
  uint16_t crc;
  uint16_t lsn;
  uint16_t uuid;
};

// The layout of `block` by its magic number; null when it has none that is known, or none that has
// an LSN, or is too short for it. The superblock's UUID is at another place with meta_uuid.
const BufferLayout* LayoutOf(absl::Span<const std::byte> block);

}  // namespace iomap::xfs
