#include "tests/support/environment.h"

#include <cstdlib>

#include "absl/strings/numbers.h"

namespace iomap::tests {

uint64_t NumberFromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) && number > 0 ? number : otherwise;
}

}  // namespace iomap::tests
