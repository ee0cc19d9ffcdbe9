#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/replay/xfs_load.h"
#include "tests/support/command.h"
#include "tests/support/dirty_image.h"

namespace iomap::tests {

// How to make one xfs image with a dirty log of one kind.
struct XfsDirtyRecipe {
  std::string name;  // of the test
  Arguments mkfs;    // options of mkfs.xfs
  std::string mount_options = {};
  Shutdown shutdown = Shutdown::kFlushLog;
  Taken taken = Taken::kAfterShutdown;
  uint64_t image_bytes = uint64_t{320} << 20;
  int rounds = 1;                // of the load, each in a folder of its own
  bool until_log_wraps = false;  // no more rounds than that
  bool has_long_records = false;
  absl::Status (*load)(const std::string& root_path, uint64_t seed) = nullptr;
  // Instead of `load`: shut down while they run.
  std::unique_ptr<ThreadedLoad> (*threads)() = nullptr;
  bool tears_last_record = false;       // damages it, before both replays
  std::vector<std::string> facts = {};  // see XfsLogFacts: each must have happened
};

inline std::ostream& operator<<(std::ostream& out, const XfsDirtyRecipe& recipe) {
  return out << recipe.name;
}

std::vector<XfsDirtyRecipe> XfsDirtyRecipes();

}  // namespace iomap::tests
