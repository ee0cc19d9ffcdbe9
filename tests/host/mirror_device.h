#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "dax/device.h"

namespace iomap::tests {

// A device that keeps a second copy of its bytes, made of what is flushed or written through alone:
// what a medium would hold at least after a crash. Stores by plain instructions pass it by.
class MirrorDevice : public dax::Device {
 public:
  explicit MirrorDevice(std::unique_ptr<dax::Device> device)
      : device_(std::move(device)), durable_(device_->size()) {
    set_bytes(device_->bytes());
  }

  absl::string_view kind() const override { return device_->kind(); }
  absl::string_view flush() const override { return device_->flush(); }
  std::optional<dax::HostMemory> host_memory() const override { return device_->host_memory(); }

  // The durable bytes at an address.
  std::vector<std::byte> Durable(uint64_t address, size_t length) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto begin = durable_.begin() + static_cast<ptrdiff_t>(address);
    return {begin, begin + static_cast<ptrdiff_t>(length)};
  }
  uint64_t flushed_bytes() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return flushed_bytes_;
  }

 private:
  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override {
    return StoreTo(*device_, address, bytes);
  }
  absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) override {
    const absl::Status status = StoreThroughTo(*device_, address, bytes);
    Keep(ByteRange{address, bytes.size()});
    return status;
  }
  void FlushLines(const ByteRange& range) override {
    FlushLinesOf(*device_, range);
    Keep(range);
    const std::lock_guard<std::mutex> lock(mutex_);
    flushed_bytes_ += range.length;
  }
  absl::Status DrainFlushed() override { return DrainFlushedOf(*device_); }

  void Keep(const ByteRange& range);

  const std::unique_ptr<dax::Device> device_;
  mutable std::mutex mutex_;
  std::vector<std::byte> durable_;  // guarded by mutex_
  uint64_t flushed_bytes_ = 0;      // guarded by mutex_
};

}  // namespace iomap::tests
