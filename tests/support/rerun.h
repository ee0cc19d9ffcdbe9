#pragma once

#include <cstdint>
#include <string>

namespace iomap::tests {

// The seed of everything random in a test of this program: --gtest_random_seed, or 1.
uint64_t Seed();

// The command line that runs the current test again with the same seed; for SCOPED_TRACE.
std::string RerunLine();

}  // namespace iomap::tests
