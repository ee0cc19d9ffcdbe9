#include "dax/memory_device.h"

#include <utility>

#include "dax/racing_copy.h"

namespace iomap::dax {

MemoryDevice::MemoryDevice(std::vector<std::byte> contents) : contents_(std::move(contents)) {
  set_bytes(contents_);
}

absl::string_view MemoryDevice::kind() const { return "memory"; }

absl::string_view MemoryDevice::flush() const { return "nothing: it ends with the process"; }

absl::Status MemoryDevice::Store(uint64_t address, absl::Span<const std::byte> bytes) {
  CopyRacing(contents_.data() + address, bytes.data(), bytes.size());
  return absl::OkStatus();
}

}  // namespace iomap::dax
