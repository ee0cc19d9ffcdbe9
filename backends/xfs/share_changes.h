#pragma once

#include <cstdint>
#include <vector>

namespace iomap::xfs {

// Changes of reference counts that the trees on the medium do not have yet, and that a log leaves
// to be made. A plain value; safe for concurrent use once no more are added.
class ShareChanges {
 public:
  // Blocks for which the same change is to be made.
  struct Range {
    uint64_t begin = 0;  // fsblocks
    uint64_t end = 0;
    int64_t change = 0;  // of the reference count
  };

  // The reference count of `block_count` blocks from `fsblock` on changes by `change`.
  void Add(uint64_t fsblock, uint64_t block_count, int64_t change);
  // Sorts what has been added; At needs it.
  void Sort();

  bool empty() const { return steps_.empty(); }
  // A range that holds `fsblock`.
  Range At(uint64_t fsblock) const;

 private:
  struct Step {
    uint64_t block = 0;
    int64_t change = 0;  // added: at this block; sorted: the sum from this block on
  };

  std::vector<Step> steps_;
};

}  // namespace iomap::xfs
