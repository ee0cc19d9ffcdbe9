#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace iomap::tests {

// FIEMAP of an open file with a buffer that is made once: the kernel's cost and nothing else.
// Unavailable, with errno's words, when the kernel refuses.
class KernelFiemap {
 public:
  // Asks for `extents` extents a call.
  KernelFiemap(int descriptor, uint32_t extents);

  // The address of the byte at `offset`, or 0 in a hole.
  absl::StatusOr<uint64_t> AddressOf(uint64_t offset);

  // The number of extents of the whole file.
  absl::StatusOr<size_t> CountExtents();

 private:
  // Asks about [offset, offset + length); the answer is in buffer_.
  absl::Status Ask(uint64_t offset, uint64_t length);

  const int descriptor_;
  const uint32_t extents_;
  std::vector<uint64_t> buffer_;  // a struct fiemap with room for the extents
};

}  // namespace iomap::tests
