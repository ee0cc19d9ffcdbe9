// The backend of this project in the conformance suite, on an image that genromfs makes.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "dax/file_device.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "romfs.h"
#include "tests/conformance/conformance.h"

namespace {

namespace fs = std::filesystem;
using iomap::conformance::Backend;

// An image that genromfs makes, in a directory that goes with it.
class Image {
 public:
  Image() {
    std::string name = fs::temp_directory_path() / "romfs-XXXXXX";
    folder_ = mkdtemp(name.data());
    const fs::path tree = folder_ / "tree";
    fs::create_directories(tree / "outer" / "inner");
    for (const size_t size : {0, 1, 15, 16, 17, 5000, 100'000}) {
      std::ofstream(tree / "outer" / std::to_string(size)) << std::string(size, 'x');
    }
    std::ofstream(tree / "outer" / "inner" / "a name that needs more than one unit") << "y";
    fs::create_symlink("outer/inner", tree / "link");
    fs::create_hard_link(tree / "outer" / "17", tree / "hard link");
    const std::string command = "genromfs -V volume -d '" + tree.string() + "' -f '" + path() + "'";
    if (std::system(command.c_str()) != 0) {
      std::abort();
    }
  }
  ~Image() { fs::remove_all(folder_); }

  std::string path() const { return folder_ / "image"; }

 private:
  fs::path folder_;
};

absl::StatusOr<std::unique_ptr<iomap::Filesystem>> OpenImage() {
  static const Image image;
  iomap::dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(),
                         iomap::dax::FileDevice::OpenReadOnly(image.path(), 0));
  return romfs::Filesystem::Open(std::move(devices));
}

}  // namespace

namespace iomap::conformance {

INSTANTIATE_TEST_SUITE_P(Romfs, Conformance,
                         testing::Values(Backend{
                             .name = "romfs", .prepared = {&OpenImage}, .has_holes = false}),
                         BackendName);

}  // namespace iomap::conformance
