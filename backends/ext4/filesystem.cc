#include "backends/ext4/filesystem.h"

namespace iomap::ext4 {

bool Recognises(const dax::Device& /*device*/) { return false; }

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(
    dax::DeviceSet /*devices*/, const backends::OpenOptions& /*options*/) {
  return absl::UnimplementedError("ext4: not written yet");
}

}  // namespace iomap::ext4
