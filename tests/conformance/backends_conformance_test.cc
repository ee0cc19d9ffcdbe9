// The backends of this tree in the conformance suite.

#include <string>
#include <utility>
#include <vector>

#include "backends/registry.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/ram_backend.h"
#include "tests/fuzz/base_image.h"

namespace iomap::conformance {
namespace {

// A backend that reads, with images that mkfs has made.
Backend Reader(const std::string& name, const std::vector<std::string>& images) {
  Backend reader{.name = name, .prepared = {}};
  for (const std::string& image : images) {
    reader.prepared.push_back([image]() -> absl::StatusOr<std::unique_ptr<Filesystem>> {
      IOMAP_ASSIGN_OR_RETURN(const tests::BaseImage* const base, tests::BaseImage::Get(image));
      dax::DeviceSet devices;
      IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(),
                             dax::FileDevice::OpenReadOnly(base->path(), 0));
      return backends::OpenFilesystem(backends::BuiltInBackends(), std::move(devices), "", {});
    });
  }
  return reader;
}

// The same backend, with its files mapped into the process.
Backend MappedRam(const std::string& name, dax::Tracking tracking) {
  Backend backend = RamBackend();
  backend.name = name;
  backend.tracking = tracking;
  return backend;
}

INSTANTIATE_TEST_SUITE_P(
    Backends, Conformance,
    testing::Values(RamBackend(), MappedRam("ram_async", dax::Tracking::kAsync),
                    MappedRam("ram_write_faults", dax::Tracking::kWriteFaults),
                    MappedRam("ram_signals", dax::Tracking::kSignals),
                    Reader("ext4", {"ext2_pointers", "ext4_bigalloc", "ext4_block_4096",
                                    "ext4_checksums", "ext4_inline_data", "ext4_journal"}),
                    Reader("xfs", {"xfs_block_1024", "xfs_block_4096", "xfs_log", "xfs_v4"})),
    BackendName);

}  // namespace
}  // namespace iomap::conformance
