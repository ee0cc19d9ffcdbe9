#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "backends/ext4/journal_superblock.h"

namespace iomap::ext4 {

// The checksums of jbd2's versions 2 and 3. All are CRC-32C, chained from the journal's seed.

// Of a whole block, with the four bytes at `field` counted as zeros: descriptor, revoke and commit
// blocks.
uint32_t JournalBlockChecksum(const JournalSuperblock& journal, absl::Span<const std::byte> block,
                              size_t field);

// Of a copy as it lies in the log, for its tag in a descriptor block of transaction `sequence`.
// Version 2 keeps the low 16 bits.
uint32_t LoggedBlockChecksum(const JournalSuperblock& journal, uint32_t sequence,
                             absl::Span<const std::byte> block);

}  // namespace iomap::ext4
