#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/volume.h"

namespace iomap::tests {

// Damages the dirty journal of an ext4 volume in memory: changes a few bytes of its superblock, its
// log or its fast-commit area, and, nine times in ten, makes all checksums right again, so that
// what is wrong gets past them. The same seed does the same damage. Returns what was done, in
// words.
//
// `journal` is that of `volume`, opened before.
std::string DamageJournal(ext4::Volume& volume, const ext4::Journal& journal, uint64_t seed);

}  // namespace iomap::tests
