#include "tests/replay/seed_count.h"

#include <cstdlib>

#include "absl/strings/numbers.h"

namespace iomap::tests {

uint64_t SeedCount() {
  const char* text = std::getenv("IOMAP_REPLAY_SEEDS");
  uint64_t count = 1;
  return text != nullptr && absl::SimpleAtoi(text, &count) && count > 0 ? count : 1;
}

}  // namespace iomap::tests
