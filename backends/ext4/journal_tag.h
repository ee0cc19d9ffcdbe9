#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/ext4/journal_superblock.h"

namespace iomap::ext4 {

// One tag of a descriptor block, decoded; on the medium it has one of four forms, which the
// journal's superblock tells.
struct JournalTag {
  uint64_t block = 0;     // of the file system, where the copy belongs
  uint32_t checksum = 0;  // of the copy, with checksum versions 2 and 3
  uint32_t flags = 0;     // kTag...
};

// The bytes of a tag, without the UUID that may follow it.
size_t JournalTagBytes(const JournalSuperblock& journal);

// The tag at `bytes`, which hold one.
JournalTag ParseJournalTag(const JournalSuperblock& journal, const std::byte* bytes);
// Stores `tag` at `bytes`, which have room for one; what its form has no place for is left out.
void WriteJournalTag(const JournalSuperblock& journal, const JournalTag& tag, std::byte* bytes);

}  // namespace iomap::ext4
