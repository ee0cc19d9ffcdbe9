#pragma once

#include <map>
#include <string>

#include "backends/replay_action.h"

namespace iomap::tests {

// What a replay did, counted: "inode items", "buffers", "inode buffers", "cancelled buffers", "new
// inode chunks", "older than the medium", "unlinked inodes", and the intents that were left, by
// their names. "cycles" is how often the log had gone around, 1 at first.
class XfsLogFacts {
 public:
  void Add(const backends::ReplayAction& action);
  uint64_t Count(const std::string& fact) const;
  const std::map<std::string, uint64_t>& counts() const { return counts_; }

 private:
  std::map<std::string, uint64_t> counts_;
};

}  // namespace iomap::tests
