#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "iomap/byte_range.h"

namespace iomap::dax {

// The bytes that a file system lies on, addressed from 0, readable in place. The one door to
// storage.
//
// Metadata is read through View, file contents through bytes(). Safe for concurrent use.
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

  // What kind it is and how stores to it become durable, for `iomap info`: "file, read-only".
  virtual std::string description() const = 0;

 protected:
  Device() = default;
  void set_bytes(absl::Span<const std::byte> bytes) { bytes_ = bytes; }

 private:
  absl::Span<const std::byte> bytes_;
};

// The devices of one file system, indexed by Mapping::device: the main device, then, for XFS, the
// realtime device.
using DeviceSet = std::vector<std::unique_ptr<Device>>;

}  // namespace iomap::dax
