#include "tests/replay/seed_count.h"

#include "tests/support/environment.h"

namespace iomap::tests {

uint64_t SeedCount() { return NumberFromEnvironment("IOMAP_REPLAY_SEEDS", 1); }

}  // namespace iomap::tests
