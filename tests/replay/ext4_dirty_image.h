#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "tests/replay/ext4_dirty_recipes.h"
#include "tests/support/recipe_image.h"

namespace iomap::tests {

// Makes the image of `recipe` in the workshop: mke2fs, a mount, RunLoad, the recipe's own load, a
// shutdown, an unmount, the recipe's damage. Needs root.
absl::Status MakeDirtyImage(const Ext4DirtyRecipe& recipe, uint64_t seed, const Workshop& workshop);

}  // namespace iomap::tests
