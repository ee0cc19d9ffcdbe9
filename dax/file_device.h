#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "dax/device.h"
#include "dax/msync_queue.h"

namespace iomap::dax {

// An ordinary file or block device, mapped from byte `image_offset` (any offset: a partition in a
// larger image) to its end. A file that another process truncates while it is open makes reads of
// the lost pages end in SIGBUS, as with any mapping.
class FileDevice : public Device {
 public:
  // What is written goes to private copies of the pages concerned (MAP_PRIVATE) and never to the
  // file; pages without one go on showing the file.
  //
  // Unavailable, with the system's own words, when the file cannot be opened or mapped. OutOfRange
  // when the offset is past the end of the file.
  static absl::StatusOr<std::unique_ptr<FileDevice>> OpenReadOnly(const std::string& path,
                                                                  uint64_t image_offset);

  // What is written goes to the file, and Drain makes it durable with msync, whether it was flushed
  // or written through, by whichever thread. Errors as above.
  static absl::StatusOr<std::unique_ptr<FileDevice>> OpenReadWrite(const std::string& path,
                                                                   uint64_t image_offset);
  ~FileDevice() override;

  absl::string_view kind() const override;
  absl::string_view flush() const override;

 private:
  enum class Mode : uint8_t { kPrivate, kShared };

  static absl::StatusOr<std::unique_ptr<FileDevice>> Open(const std::string& path,
                                                          uint64_t image_offset, Mode mode);

  FileDevice(void* mapping, size_t mapping_size, size_t skipped_bytes, bool is_block_device,
             Mode mode);

  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override;
  absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) override;
  void FlushLines(const ByteRange& range) override;
  absl::Status DrainFlushed() override;

  absl::Status MakeWritable();

  void* const mapping_;  // null for an empty device
  const size_t mapping_size_;
  const size_t skipped_bytes_;  // of the mapping, before byte 0 of the device
  const bool is_block_device_;
  const Mode mode_;
  std::once_flag writable_;  // nothing can be stored by mistake before the first Write
  absl::Status writable_status_;
  MsyncQueue msync_queue_;  // kShared
};

}  // namespace iomap::dax
