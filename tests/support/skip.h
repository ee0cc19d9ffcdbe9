#pragma once

#include <iostream>
#include <string>

#include "gtest/gtest.h"

namespace iomap::tests {

// Why this process cannot mount an image through a loop device; empty when it can.
std::string WhyNoMount();

// Why `program` cannot be run; empty when it can.
std::string WhyNoProgram(const std::string& program);

}  // namespace iomap::tests

// Skips the running test and says why in one line, "skipped: WHY", unless `why` is empty. The line
// is what the check of allowed skips reads: a skip in no other form.
#define IOMAP_SKIP_IF(why)                                         \
  do {                                                             \
    if (const std::string iomap_why = (why); !iomap_why.empty()) { \
      std::cout << "skipped: " << iomap_why << std::endl;          \
      GTEST_SKIP() << iomap_why;                                   \
    }                                                              \
  } while (false)
