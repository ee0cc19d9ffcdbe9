#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "dax/filesystem.h"
#include "iomap/attributes.h"
#include "tests/support/recipe.h"
#include "tests/support/referee.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {

// The places of one test: an image, a mount point, and a tree to make an image from.
struct Workshop {
  static absl::StatusOr<Workshop> Make();

  std::string image_path() const { return folder / "image"; }
  std::string mount_path() const { return folder / "mount"; }
  std::string source_path() const { return folder / "source"; }

  TemporaryDirectory folder;
};

// An empty file system of `recipe`.
absl::Status MakeEmptyImage(const Recipe& recipe, const Workshop& workshop);

// Makes the image and fills it through a mount, which is gone when this returns. Needs root.
absl::Status MakeImageThroughMount(const Recipe& recipe, uint64_t seed, const Workshop& workshop);

// Makes the source tree, and the image from it with the format's own programs: no mount, no root.
// Of ext4, debugfs then preallocates and punches; the source tree is punched alike.
absl::Status MakeImageFromSource(const Recipe& recipe, uint64_t seed, const Workshop& workshop);

// Opens the image with the back end that the registry finds.
absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenImage(
    const std::string& image_path, const backends::OpenOptions& options = {});

// What debugfs or xfs_db says of the inodes (number and path).
absl::StatusOr<RefereeReport> AskReferee(const Recipe& recipe, const Workshop& workshop,
                                         const std::map<InodeNumber, std::string>& inodes);

}  // namespace iomap::tests
