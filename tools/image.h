#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backends/open_options.h"
#include "dax/device.h"
#include "dax/filesystem.h"

namespace iomap::tools {

// How images are opened: the options that every sub-command takes.
struct ImageOptions {
  std::string backend;  // empty: found by magic number
  std::optional<uint64_t>
      image_offset;             // bytes: where the file system starts in the image; none: 0
  std::string realtime_device;  // empty: none
  bool no_replay = false;
};

// The file `image`, read-only, and the realtime device if there is one. Unavailable when the
// operating system refuses, a UsageError when the image offset is past the end or `image` names a
// file in an image.
absl::StatusOr<dax::DeviceSet> OpenDevices(const std::string& image, const ImageOptions& options);

// The file system on `devices`. Errors: backends::OpenFilesystem's, those of the arguments as
// UsageErrors.
absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenOnDevices(dax::DeviceSet devices,
                                                               const ImageOptions& options,
                                                               const backends::OpenOptions& how);

// The file system in the file `image`. Errors: OpenDevices, OpenOnDevices.
absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenImage(const std::string& image,
                                                           const ImageOptions& options);

// The image that a list of targets used last, kept open: most lists have only one.
class OpenedImage {
 public:
  explicit OpenedImage(const ImageOptions& options) : options_(options) {}

  // OpenImage, unless `image` is the one that is open.
  absl::StatusOr<dax::Filesystem*> Open(const std::string& image);

 private:
  const ImageOptions& options_;
  std::string image_;
  std::unique_ptr<dax::Filesystem> filesystem_;
};

}  // namespace iomap::tools
