#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/dirty_image.h"
#include "tests/support/recipe_image.h"
#include "tests/support/tree_comparison.h"
#include "tests/support/tree_load.h"

namespace iomap::tests {

// Changes that are made to the image of a workshop while it is mounted, before it is shut down, and
// what stays open meanwhile.
class DirtyLoad {
 public:
  virtual ~DirtyLoad() = default;
  virtual absl::Status Run(const Workshop& workshop, uint64_t seed) = 0;
};

// How to make one ext4 image with a dirty journal of one kind.
struct Ext4DirtyRecipe {
  std::string name;               // of the test
  std::vector<std::string> mkfs;  // options of mke2fs
  std::string mount_options = {};
  Taken taken = Taken::kAfterShutdown;
  Shutdown shutdown = Shutdown::kFlushLog;
  uint64_t image_bytes = uint64_t{96} << 20;
  // The load, on a tree that RunLoad has made; null: RunLoad again.
  std::unique_ptr<DirtyLoad> (*load)() = nullptr;
  LoadOptions options = {};
  // Damages the journal of the image before both replays.
  absl::Status (*damage)(const std::string& image_path) = nullptr;
  Truth truth = Truth::kMountedImage;
  std::set<std::string> facts = {};  // see JournalFactsOf
};

inline std::ostream& operator<<(std::ostream& out, const Ext4DirtyRecipe& recipe) {
  return out << recipe.name;
}

std::vector<Ext4DirtyRecipe> Ext4DirtyRecipes();

}  // namespace iomap::tests
