#pragma once

#include <cstdio>
#include <cstdlib>

// IOMAP_CHECK(condition) aborts with the place when an invariant of our own code is broken. Errors
// of the outside world are absl::Status, never this. (Debian 12's Abseil has no absl/log/check.h.)
#define IOMAP_CHECK(condition)                                                           \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
