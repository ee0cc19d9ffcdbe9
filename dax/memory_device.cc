#include "dax/memory_device.h"

#include <utility>

namespace iomap::dax {

MemoryDevice::MemoryDevice(std::vector<std::byte> contents) : contents_(std::move(contents)) {
  set_bytes(contents_);
}

std::string MemoryDevice::description() const { return "memory (gone with the process)"; }

}  // namespace iomap::dax
