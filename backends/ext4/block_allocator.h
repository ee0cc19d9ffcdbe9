#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/group.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// Finds blocks that nobody uses, for what a replay has to make new: a block of a directory, a node
// of an extent tree. The bitmaps on the medium are read and not changed; what was given out is
// remembered here. Not thread-safe.
class BlockAllocator {
 public:
  // `volume` outlives the allocator.
  explicit BlockAllocator(const Volume& volume) : volume_(volume) {}

  // Keeps `count` blocks from `first` on from being given out.
  void Exclude(uint64_t first, uint64_t count);

  // The first free block from `goal` on, and from the start of the volume when there is none.
  // Groups whose bitmap is damaged are passed over, as Linux does. ResourceExhausted when there is
  // none.
  absl::StatusOr<uint64_t> Allocate(uint64_t goal);

 private:
  bool IsExcluded(uint64_t block) const;
  // The first free block of the group from block `begin` on, or 0.
  absl::StatusOr<uint64_t> FindInGroup(uint64_t group, uint64_t begin);
  absl::StatusOr<uint64_t> FindInUnwrittenGroup(uint64_t first, uint64_t begin, uint64_t end);

  const Volume& volume_;
  bool has_excluded_metadata_ = false;
  std::map<uint64_t, uint64_t> excluded_;  // begin -> end, apart from each other
  absl::flat_hash_set<uint64_t> allocated_;
  // (group, where a search began) -> the first block behind what it has found to be in use.
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, uint64_t> searched_until_;
};

}  // namespace iomap::ext4
