#pragma once

#include <cstdint>

#include "iomap/mapping.h"

namespace iomap::tests {

// Mappings as tests write them down: MappedAt(address, {offset, length}).

inline Mapping HoleIn(const ByteRange& range) {
  return {.offset = range.offset, .length = range.length};
}

inline Mapping MappedAt(uint64_t address, const ByteRange& range,
                        MappingFlag flags = MappingFlag::kNone, uint8_t device = 0) {
  return {.offset = range.offset,
          .length = range.length,
          .address = address,
          .type = MappingType::kMapped,
          .device = device,
          .flags = flags};
}

inline Mapping UnwrittenAt(uint64_t address, const ByteRange& range) {
  Mapping mapping = MappedAt(address, range);
  mapping.type = MappingType::kUnwritten;
  return mapping;
}

inline Mapping DelallocIn(const ByteRange& range) {
  Mapping mapping = HoleIn(range);
  mapping.type = MappingType::kDelalloc;
  return mapping;
}

inline Mapping InlineIn(const ByteRange& range) {
  Mapping mapping = HoleIn(range);
  mapping.type = MappingType::kInline;
  return mapping;
}

}  // namespace iomap::tests
