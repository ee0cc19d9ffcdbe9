#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "iomap/byte_range.h"

namespace iomap::dax {

// What the processor's caches write back at a time, in bytes.
inline constexpr uint64_t kLineBytes = 64;

// Where bytes can be had with mmap(2).
struct HostMemory {
  int descriptor;
  uint64_t offset;     // in the file, of the device's byte 0
  bool is_persistent;  // stores become durable by the processor's instructions
};

// The bytes that a file system lies on, addressed from 0, readable in place. The one door to
// storage.
//
// Metadata is read through View, file contents through bytes(). What is stored is visible at once,
// in every view, and durable later: a store with Write needs a Flush of its lines, and then, like a
// store with WriteThrough, a Drain by the same thread. (A drain is the calling thread's: it says
// nothing of what another one has flushed.)
//
// Safe for concurrent use; who stores to bytes that another thread reads or stores to meanwhile
// sees to the outcome.
//
// Errors: stores past the end of the device are DataLoss, since it is an address on the medium that
// was wrong; Unavailable, with the system's own words, when the system fails.
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

  // Stores through the cache. A device that was opened for reading keeps them in the memory of this
  // process, and the medium stays as it is: this is how a journal is replayed into an image that is
  // not to be touched.
  absl::Status Write(uint64_t address, absl::Span<const std::byte> bytes);
  // Stores past the cache (non-temporal): durable after a Drain, without a Flush.
  absl::Status WriteThrough(uint64_t address, absl::Span<const std::byte> bytes);
  // The same with zeros.
  absl::Status Zero(const ByteRange& range);

  // Writes back the lines that `range`, bytes of this device, touches (clwb).
  void Flush(const ByteRange& range);
  // When OK returns, what the calling thread has flushed or stored past the cache is durable
  // (sfence). The one call that reports that the medium failed.
  absl::Status Drain();
  absl::Status Persist(const ByteRange& range);  // Flush and Drain

  // For `iomap info`: what it is ("file", "memory"), and what makes stores to it durable.
  virtual absl::string_view kind() const = 0;
  virtual absl::string_view flush() const = 0;

  // Where its bytes are, for mmap: nothing for a device that must see each store (one that
  // records), that has no file, or whose file cannot be written to.
  virtual std::optional<HostMemory> host_memory() const { return std::nullopt; }

  // What a drain of this device touches, for a scheduler: drains can be swapped with each other and
  // with stores, but not with whoever looks at what is durable.
  const void* durability() const { return &bytes_; }

 protected:
  Device() = default;
  void set_bytes(absl::Span<const std::byte> bytes) { bytes_ = bytes; }
  // For devices that wrap another: the methods of its own below, without a step for the scheduler.
  static absl::Status StoreTo(Device& device, uint64_t address, absl::Span<const std::byte> bytes) {
    return device.Store(address, bytes);
  }
  static absl::Status StoreThroughTo(Device& device, uint64_t address,
                                     absl::Span<const std::byte> bytes) {
    return device.StoreThrough(address, bytes);
  }
  static void FlushLinesOf(Device& device, const ByteRange& range) { device.FlushLines(range); }
  static absl::Status DrainFlushedOf(Device& device) { return device.DrainFlushed(); }

  // From now on RecordView is called for each View.
  void RecordViews(bool record) { records_views_ = record; }

  // Zero, once the range is known to be the device's, and not empty.
  virtual absl::Status StoreZeroes(const ByteRange& range);

 private:
  // The others, in the same way.
  virtual absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) = 0;
  virtual absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes);
  virtual void FlushLines(const ByteRange& range);
  virtual absl::Status DrainFlushed();
  virtual void RecordView(const ByteRange& range) const;

  absl::Status CheckRange(const ByteRange& range) const;

  absl::Span<const std::byte> bytes_;
  bool records_views_ = false;
};

// The devices of one file system, indexed by Mapping::device: the main device, then, for XFS, the
// realtime device.
using DeviceSet = std::vector<std::unique_ptr<Device>>;

}  // namespace iomap::dax
