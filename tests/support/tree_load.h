#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace iomap::tests {

// What RunLoad does, and how much of it.
struct LoadOptions {
  uint64_t seed = 1;
  int operations = 400;
  int operations_per_sync = 12;   // about: an fsync(2) of what was changed last
  uint64_t most_bytes = 200'000;  // of one write
  bool preallocate = true;        // fallocate(2): unwritten space, holes
  bool directories = true;        // mkdir(2), rmdir(2)
  bool symlinks = true;
};

// Changes the tree below the existing directory `root_path` at random: creates, writes, truncates,
// punches, preallocates, renames, links, unlinks, makes and removes directories, syncs. The same
// options do the same to the same tree. Unavailable, with the path, when the file system refuses
// something.
absl::Status RunLoad(const std::string& root_path, const LoadOptions& options);

}  // namespace iomap::tests
