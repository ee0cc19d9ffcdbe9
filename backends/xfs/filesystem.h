#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "dax/device.h"
#include "dax/filesystem.h"

namespace iomap::xfs {

// True when `device` carries the magic number of xfs's superblock.
bool Recognises(const dax::Device& device);

// Opens the xfs file system on devices.front(). Errors: see backends::Backend.
absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(
    dax::DeviceSet devices, const backends::OpenOptions& options);

}  // namespace iomap::xfs
