#pragma once

#include <cstdint>

namespace iomap::tests {

// The number that an environment variable holds; `otherwise` where it holds none, or 0.
uint64_t NumberFromEnvironment(const char* name, uint64_t otherwise);

}  // namespace iomap::tests
