#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace iomap::backends {

// The number of a transaction. They only grow; what is durable is a prefix of them.
using Sequence = uint64_t;

// A piece of metadata that is read, changed and logged as a whole, with the boundaries that the
// format's own kernel uses: a block, a sector, a whole directory block. Buffers do not overlap.
struct Buffer {
  uint64_t address = 0;  // bytes from the start of the main device
  uint32_t length = 0;   // bytes
  uint32_t type = 0;     // the format's own, for its log and its checksums
};

// What a buffer holds after a transaction.
struct BufferImage {
  Buffer buffer;
  absl::Span<const std::byte> bytes;
};

// The same while it can still be changed.
struct MutableBufferImage {
  Buffer buffer;
  absl::Span<std::byte> bytes;
};

// What a part of a transaction may take of the log, at most.
struct Credits {
  uint64_t buffers = 0;    // that are changed
  uint64_t bytes = 0;      // the sum of their lengths
  uint64_t cancelled = 0;  // buffers that are freed

  // Buffers of one length.
  static Credits Of(uint64_t buffers, uint64_t length, uint64_t cancelled = 0) {
    return Credits{buffers, buffers * length, cancelled};
  }

  Credits& operator+=(const Credits& other) {
    buffers += other.buffers;
    bytes += other.bytes;
    cancelled += other.cancelled;
    return *this;
  }
  Credits& operator-=(const Credits& other) {
    buffers -= other.buffers;
    bytes -= other.bytes;
    cancelled -= other.cancelled;
    return *this;
  }
  friend Credits operator+(Credits a, const Credits& b) { return a += b; }
  bool Covers(const Credits& other) const {
    return buffers >= other.buffers && bytes >= other.bytes && cancelled >= other.cancelled;
  }
};

}  // namespace iomap::backends
