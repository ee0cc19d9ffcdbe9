#include "tools/image.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/registry.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tools/exit_status.h"

namespace iomap::tools {

absl::StatusOr<dax::DeviceSet> OpenDevices(const std::string& image, const ImageOptions& options) {
  absl::StatusOr<std::unique_ptr<dax::FileDevice>> main_device =
      dax::FileDevice::OpenReadOnly(image, options.image_offset.value_or(0));
  if (absl::IsOutOfRange(main_device.status())) {
    return UsageError(main_device.status().message());
  }
  if (!main_device.ok() && (absl::StrContains(image, ":/") || absl::StrContains(image, ":<"))) {
    return UsageError(absl::StrCat("an image is wanted here, not a file in one (",
                                   main_device.status().message(), ")"));
  }
  IOMAP_RETURN_IF_ERROR(main_device.status());
  dax::DeviceSet devices;
  devices.push_back(*std::move(main_device));
  if (!options.realtime_device.empty()) {
    absl::StatusOr<std::unique_ptr<dax::FileDevice>> realtime =
        dax::FileDevice::OpenReadOnly(options.realtime_device, /*image_offset=*/0);
    if (!realtime.ok()) {
      return absl::Status(realtime.status().code(),
                          absl::StrCat("realtime device ", options.realtime_device, ": ",
                                       realtime.status().message()));
    }
    devices.push_back(*std::move(realtime));
  }
  return devices;
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenOnDevices(dax::DeviceSet devices,
                                                               const ImageOptions& options,
                                                               const backends::OpenOptions& how) {
  absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = backends::OpenFilesystem(
      backends::BuiltInBackends(), std::move(devices), options.backend, how);
  if (absl::IsInvalidArgument(filesystem.status())) {  // --backend, or a device too many
    return UsageError(filesystem.status().message());
  }
  return filesystem;
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenImage(const std::string& image,
                                                           const ImageOptions& options) {
  IOMAP_ASSIGN_OR_RETURN(dax::DeviceSet devices, OpenDevices(image, options));
  return OpenOnDevices(std::move(devices), options,
                       {.dirty_journal = options.no_replay ? backends::DirtyJournal::kIgnore
                                                           : backends::DirtyJournal::kReplay});
}

absl::StatusOr<dax::Filesystem*> OpenedImage::Open(const std::string& image) {
  if (filesystem_ == nullptr || image_ != image) {
    filesystem_.reset();
    IOMAP_ASSIGN_OR_RETURN(filesystem_, OpenImage(image, options_));
    image_ = image;
  }
  return filesystem_.get();
}

}  // namespace iomap::tools
