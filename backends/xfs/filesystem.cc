#include "backends/xfs/filesystem.h"

namespace iomap::xfs {

bool Recognises(const dax::Device& /*device*/) { return false; }

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(
    dax::DeviceSet /*devices*/, const backends::OpenOptions& /*options*/) {
  return absl::UnimplementedError("xfs: not written yet");
}

}  // namespace iomap::xfs
