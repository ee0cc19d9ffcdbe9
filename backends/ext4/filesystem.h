#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "dax/device.h"
#include "dax/filesystem.h"

namespace iomap::ext4 {

// True when `device` carries the magic number of ext4's superblock.
bool Recognises(const dax::Device& device);

// Opens the ext4 file system on devices.front(). Errors: see backends::Backend.
absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(
    dax::DeviceSet devices, const backends::OpenOptions& options);

}  // namespace iomap::ext4
