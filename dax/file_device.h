#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "dax/device.h"

namespace iomap::dax {

// An ordinary file or block device, opened read-only and mapped from byte `image_offset` (any
// offset: a partition in a larger image) to its end. What is written to it goes to private copies
// of the pages concerned (MAP_PRIVATE) and never to the file; pages without one go on showing the
// file. A file that another process truncates while it is open makes reads of the lost pages end in
// SIGBUS, as with any mapping.
class FileDevice : public Device {
 public:
  // Unavailable, with the system's own words, when the file cannot be opened or mapped. OutOfRange
  // when the offset is past the end of the file.
  static absl::StatusOr<std::unique_ptr<FileDevice>> OpenReadOnly(const std::string& path,
                                                                  uint64_t image_offset);
  ~FileDevice() override;

  absl::string_view kind() const override;
  absl::string_view flush() const override;

 private:
  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override;

  FileDevice(void* mapping, size_t mapping_size, size_t skipped_bytes, bool is_block_device);

  void* const mapping_;  // null for an empty device
  const size_t mapping_size_;
  const size_t skipped_bytes_;  // of the mapping, before byte 0 of the device
  bool writable_ = false;       // nothing can be stored by mistake before the first Write
  const bool is_block_device_;
};

}  // namespace iomap::dax
