#include "dax/device.h"

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::dax {

Device::~Device() = default;

absl::StatusOr<absl::Span<const std::byte>> Device::View(const ByteRange& range) const {
  if (range.offset > size() || range.length > size() - range.offset) {
    return absl::DataLossError(absl::StrCat("byte ", range.offset, ", length ", range.length,
                                            ": past the end of the device, ", size(), " bytes"));
  }
  return bytes_.subspan(range.offset, range.length);
}

absl::Status Device::Write(uint64_t address, absl::Span<const std::byte> bytes) {
  IOMAP_RETURN_IF_ERROR(View(ByteRange{address, bytes.size()}).status());
  return bytes.empty() ? absl::OkStatus() : Store(address, bytes);
}

}  // namespace iomap::dax
