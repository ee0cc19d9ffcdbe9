#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "iomap/byte_range.h"

namespace iomap::dax {

// The bytes that a file system lies on, addressed from 0, readable in place. The one door to
// storage.
//
// Metadata is read through View, file contents through bytes(), changes go through Write. Safe for
// concurrent use but for Write.
class Device {
 public:
  virtual ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // All bytes. They never move while the device lives. What another process writes into the image
  // shows up here at any time: copy a record out before checking it.
  absl::Span<const std::byte> bytes() const { return bytes_; }
  uint64_t size() const { return bytes_.size(); }  // bytes

  // The bytes of `range`, for reading metadata. DataLoss when they pass the end of the device,
  // which for an image means that it is truncated or that an address in it is wrong.
  absl::StatusOr<absl::Span<const std::byte>> View(const ByteRange& range) const;

  // Puts `bytes` at `address`; every view shows them afterwards. A device that was opened for
  // reading keeps them in the memory of this process, and the medium stays as it is: this is how a
  // journal is replayed into an image that is not to be touched. Not while another thread reads or
  // writes any of the device. DataLoss, as with View, past the end; Unavailable, with the system's
  // own words, when it has no memory for them.
  absl::Status Write(uint64_t address, absl::Span<const std::byte> bytes);
  absl::Status WriteThrough(uint64_t address, absl::Span<const std::byte> bytes);
  absl::Status Zero(const ByteRange& range);
  void Flush(const ByteRange& range);
  absl::Status Drain();
  absl::Status Persist(const ByteRange& range);

  // For `iomap info`: what it is ("file", "memory"), and what makes stores to it durable.
  virtual absl::string_view kind() const = 0;
  virtual absl::string_view flush() const = 0;

 protected:
  Device() = default;
  void set_bytes(absl::Span<const std::byte> bytes) { bytes_ = bytes; }

 private:
  // Write, once the range is known to be the device's.
  virtual absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) = 0;

  absl::Span<const std::byte> bytes_;
};

// The devices of one file system, indexed by Mapping::device: the main device, then, for XFS, the
// realtime device.
using DeviceSet = std::vector<std::unique_ptr<Device>>;

}  // namespace iomap::dax
