#pragma once

#include <cstdint>

namespace iomap {

// A small number of the calling thread, for traces: counted up from 0 as threads ask for theirs.
uint32_t ThreadIndex();

// For a scheduler that runs its threads on one thread of the operating system: says, at each
// switch, which of them runs.
void SetThreadIndex(uint32_t index);

}  // namespace iomap
