#pragma once

#include <cstddef>
#include <vector>

namespace iomap::tests {

// `count` bytes of `value`.
inline std::vector<std::byte> Bytes(size_t count, int value) {
  return std::vector<std::byte>(count, static_cast<std::byte>(value));
}

}  // namespace iomap::tests
