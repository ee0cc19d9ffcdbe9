#include "tests/replay/ext4_dirty_image.h"

#include <memory>
#include <string>

#include "iomap/status_macros.h"
#include "tests/support/dirty_image.h"
#include "tests/support/recipe.h"
#include "tests/support/tree_load.h"

namespace iomap::tests {

absl::Status MakeDirtyImage(const Ext4DirtyRecipe& recipe, uint64_t seed,
                            const Workshop& workshop) {
  Recipe empty;
  empty.image_bytes = recipe.image_bytes;
  empty.mkfs = {"mkfs.ext4", "-q", "-F"};
  empty.mkfs.insert(empty.mkfs.end(), recipe.mkfs.begin(), recipe.mkfs.end());
  IOMAP_RETURN_IF_ERROR(MakeEmptyImage(empty, workshop));
  DirtyImage dirty;
  dirty.type = "ext4";
  dirty.image_path = workshop.image_path();
  dirty.mount_path = workshop.mount_path();
  dirty.mount_options = recipe.mount_options;
  dirty.taken = recipe.taken;
  dirty.shutdown = recipe.shutdown;
  std::unique_ptr<DirtyLoad> load;
  dirty.load = [&](const std::string& mount_path) -> absl::Status {
    LoadOptions options = recipe.options;
    options.seed = seed;
    IOMAP_RETURN_IF_ERROR(RunLoad(mount_path, options));
    if (recipe.load == nullptr) {
      return absl::OkStatus();
    }
    load = recipe.load();
    return load->Run(workshop, seed);
  };
  dirty.release = [&] { load.reset(); };
  IOMAP_RETURN_IF_ERROR(MakeDirty(dirty));
  return recipe.damage == nullptr ? absl::OkStatus() : recipe.damage(workshop.image_path());
}

}  // namespace iomap::tests
