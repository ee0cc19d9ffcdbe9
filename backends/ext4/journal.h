#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/journal_superblock.h"
#include "backends/ext4/volume.h"
#include "iomap/mapping.h"

namespace iomap::ext4 {

// The journal of a volume: its superblock, and where its blocks lie. Its inode may be of extents or
// of block pointers, in one piece or in many. Safe for concurrent use.
class Journal {
 public:
  // `volume`, whose superblock names the journal's inode, outlives the journal. DataLoss when the
  // inode or the superblock is damaged, Unimplemented for features that are not known.
  static absl::StatusOr<Journal> Open(const Volume& volume);

  const JournalSuperblock& superblock() const { return superblock_; }
  uint32_t block_size() const { return volume_.superblock().block_size; }

  // The bytes of block `index` of the journal, below the superblock's block count, and the block of
  // the file system that they are. DataLoss when the journal has a hole there.
  absl::StatusOr<absl::Span<const std::byte>> Block(uint32_t index) const;
  absl::StatusOr<uint64_t> PlaceOf(uint32_t index) const;

  // True when block `block` of the file system is one of the journal's.
  bool Owns(uint64_t block) const;

 private:
  Journal(const Volume& volume, const JournalSuperblock& superblock)
      : volume_(volume), superblock_(superblock) {}

  const Volume& volume_;
  JournalSuperblock superblock_;
  std::vector<Mapping> by_offset_;   // what is mapped, in order of the journal
  std::vector<Mapping> by_address_;  // the same in order of the device
};

}  // namespace iomap::ext4
