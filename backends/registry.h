#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/open_options.h"
#include "dax/device.h"
#include "dax/filesystem.h"

namespace iomap::backends {

// One on-disk format.
struct Backend {
  absl::string_view name;
  // True when the main device carries the format's magic number.
  bool (*recognises)(const dax::Device& device);
  // Takes over the devices. InvalidArgument for a device that the format has no use for, DataLoss
  // for damage, Unimplemented, by name, for features that are not known.
  absl::StatusOr<std::unique_ptr<dax::Filesystem>> (*open)(dax::DeviceSet devices,
                                                           const OpenOptions& options);
};

// The formats that are built in: an explicit table, in the order in which they are tried.
absl::Span<const Backend> BuiltInBackends();

// Opens `devices` with the first of `backends` that recognises the main device or, when `name` is
// not empty, with the one of that name. DataLoss when none recognises it, InvalidArgument for an
// unknown name.
absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(absl::Span<const Backend> backends,
                                                                dax::DeviceSet devices,
                                                                absl::string_view name,
                                                                const OpenOptions& options);

}  // namespace iomap::backends
