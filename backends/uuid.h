#pragma once

#include <array>
#include <string>

namespace iomap::backends {

// A UUID as people write it, 8-4-4-4-12 hexadecimal digits, from its 16 bytes in their order on the
// medium.
std::string UuidText(const std::array<unsigned char, 16>& bytes);

}  // namespace iomap::backends
