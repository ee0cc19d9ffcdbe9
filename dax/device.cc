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

absl::Status Device::WriteThrough(uint64_t address, absl::Span<const std::byte> bytes) {
  return Write(address, bytes);
}
absl::Status Device::Zero(const ByteRange& range) {
  return Write(range.offset, std::vector<std::byte>(range.length));
}
void Device::Flush(const ByteRange& /*range*/) {}
absl::Status Device::Drain() { return absl::OkStatus(); }
absl::Status Device::Persist(const ByteRange& range) {
  Flush(range);
  return Drain();
}

}  // namespace iomap::dax
