#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "iomap/byte_range.h"

namespace iomap::backends {

// One thing that the recovery of a journal does, in the order in which it does them.
struct ReplayAction {
  // What it belongs to: the transaction's number of jbd2, the log sequence number (cycle << 32 |
  // basic block) of XFS. 0 for what follows from the state of the file system as a whole (orphans).
  uint64_t sequence = 0;
  // In the format's own words: "block", "fast commit, inode 12", "buffer", "inode 131", "extent
  // free intent".
  std::string what = {};
  // The bytes of the main device that it changes; empty when it changes none (a revoked block, an
  // intent that readers do not see).
  ByteRange place = {};
};

using ReplayObserver = std::function<void(const ReplayAction&)>;

}  // namespace iomap::backends
