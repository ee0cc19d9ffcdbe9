#include "backends/registry.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/ext4/filesystem.h"
#include "backends/xfs/filesystem.h"

namespace iomap::backends {
namespace {

constexpr Backend kBackends[] = {
    {"ext4", &ext4::Recognises, &ext4::OpenFilesystem},
    {"xfs", &xfs::Recognises, &xfs::OpenFilesystem},
};

std::string NamesOf(absl::Span<const Backend> backends) {
  return absl::StrJoin(backends, ", ", [](std::string* out, const Backend& backend) {
    absl::StrAppend(out, backend.name);
  });
}

}  // namespace

absl::Span<const Backend> BuiltInBackends() { return kBackends; }

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(absl::Span<const Backend> backends,
                                                                dax::DeviceSet devices,
                                                                absl::string_view name,
                                                                const OpenOptions& options) {
  for (const Backend& backend : backends) {
    const bool chosen = name.empty() ? backend.recognises(*devices.front()) : backend.name == name;
    if (chosen) {
      return backend.open(std::move(devices), options);
    }
  }
  if (!name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no backend \"", name, "\"; there are ", NamesOf(backends)));
  }
  return absl::DataLossError(absl::StrCat("no file system that is known (", NamesOf(backends),
                                          "), or its magic number is damaged"));
}

}  // namespace iomap::backends
