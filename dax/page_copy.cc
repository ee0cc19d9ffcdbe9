#include "dax/page_copy.h"

#include "iomap/status_macros.h"

namespace iomap::dax {

absl::Status FillWithoutDrain(File& file, const WriteMapping& mapping, const ByteRange& range) {
  if (range.empty()) {
    return absl::OkStatus();
  }
  Device& device = *file.devices()[mapping.target.device];
  const uint64_t address = mapping.target.AddressOf(range.offset);
  if (mapping.source.has_value() && !mapping.source->reads_as_zeros()) {
    const Mapping& source = *mapping.source;
    const Device& from = *file.devices()[source.device];
    return device.WriteThrough(address,
                               from.bytes().subspan(source.AddressOf(range.offset), range.length));
  }
  if (mapping.source.has_value() || mapping.needs_zeroes()) {
    return device.Zero(ByteRange{address, range.length});
  }
  return absl::OkStatus();
}

absl::Status FillPages(File& file, const WriteMapping& mapping, const ByteRange& range) {
  if (!mapping.source.has_value() && !mapping.needs_zeroes()) {
    return absl::OkStatus();
  }
  IOMAP_RETURN_IF_ERROR(FillWithoutDrain(file, mapping, range));
  return file.devices()[mapping.target.device]->Drain();
}

}  // namespace iomap::dax
