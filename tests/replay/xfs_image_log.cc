#include "tests/replay/xfs_image_log.h"

#include <utility>

#include "dax/file_device.h"
#include "iomap/status_macros.h"

namespace iomap::tests {

absl::StatusOr<XfsImageLog> XfsImageLog::Open(const std::string& image_path) {
  auto volume = std::make_unique<xfs::Volume>();
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::Device> device,
                         dax::FileDevice::OpenReadOnly(image_path, /*image_offset=*/0));
  IOMAP_ASSIGN_OR_RETURN(volume->superblock, xfs::ParseSuperblock(*device));
  volume->devices.push_back(std::move(device));
  IOMAP_ASSIGN_OR_RETURN(const xfs::Log log, xfs::Log::Open(*volume));
  IOMAP_ASSIGN_OR_RETURN(const xfs::Log::State state, log.FindState());
  return XfsImageLog(std::move(volume), log, state);
}

absl::StatusOr<uint64_t> XfsImageLog::LongRecords() const {
  uint64_t count = 0;
  IOMAP_RETURN_IF_ERROR(log_.ForEachRecord(state_, [&](const xfs::LogRecord& record) {
    count += record.header_blocks > 1;
    return absl::OkStatus();
  }));
  return count;
}

}  // namespace iomap::tests
