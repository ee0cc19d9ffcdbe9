#pragma once

#include <cstddef>
#include <vector>

#include "dax/device.h"

namespace iomap::dax {

// Bytes on the heap: for tests, fuzzers and images that a program already holds.
class MemoryDevice : public Device {
 public:
  explicit MemoryDevice(std::vector<std::byte> contents);

  absl::string_view kind() const override;
  absl::string_view flush() const override;

 private:
  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override;

  std::vector<std::byte> contents_;
};

}  // namespace iomap::dax
