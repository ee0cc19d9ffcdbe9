#include "backends/xfs/share_changes.h"

#include <algorithm>
#include <limits>

namespace iomap::xfs {

void ShareChanges::Add(uint64_t fsblock, uint64_t block_count, int64_t change) {
  steps_.push_back({fsblock, change});
  steps_.push_back({fsblock + block_count, -change});
}

void ShareChanges::Sort() {
  std::sort(steps_.begin(), steps_.end(),
            [](const Step& a, const Step& b) { return a.block < b.block; });
  int64_t sum = 0;
  for (Step& step : steps_) {
    sum += step.change;
    step.change = sum;
  }
}

ShareChanges::Range ShareChanges::At(uint64_t fsblock) const {
  // Of several steps at one block, the last one has the sum.
  const auto behind =
      std::upper_bound(steps_.begin(), steps_.end(), fsblock,
                       [](uint64_t block, const Step& step) { return block < step.block; });
  Range range;
  range.end = behind == steps_.end() ? std::numeric_limits<uint64_t>::max() : behind->block;
  if (behind != steps_.begin()) {
    range.begin = std::prev(behind)->block;
    range.change = std::prev(behind)->change;
  }
  return range;
}

}  // namespace iomap::xfs
