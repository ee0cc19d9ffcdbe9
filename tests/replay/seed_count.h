#pragma once

#include <cstdint>

namespace iomap::tests {

// How many images of each kind are made, each from a seed of its own: IOMAP_REPLAY_SEEDS, or 1.
uint64_t SeedCount();

}  // namespace iomap::tests
