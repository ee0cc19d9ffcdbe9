#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "iomap/byte_range.h"

namespace iomap::dax {

// One thing that happened to a device. Stores are cut at lines (kLineBytes).
struct DeviceEvent {
  enum class Kind : uint8_t {
    kStore,         // through the cache
    kStoreThrough,  // past it
    kFlush,
    kDrain,
    kLockedReadModifyWrite,  // an atomic operation, which some count as a fence for flushes
    kView,
  };

  Kind kind = Kind::kStore;
  uint32_t thread = 0;                // ThreadIndex()
  ByteRange range = {};               // on the device; nothing for a drain
  std::vector<std::byte> bytes = {};  // of a store
};

}  // namespace iomap::dax
