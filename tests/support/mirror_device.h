#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "dax/device.h"
#include "dax/racing_copy.h"

namespace iomap::tests {

// A device that keeps a second copy of its bytes, made of what is flushed or written through alone:
// what a medium would hold at least after a crash. Plain stores, of which a recording device would
// know nothing, pass it by.
class MirrorDevice : public dax::Device {
 public:
  explicit MirrorDevice(std::unique_ptr<dax::Device> device)
      : device_(std::move(device)), durable_(device_->bytes().begin(), device_->bytes().end()) {
    set_bytes(device_->bytes());
  }

  absl::string_view kind() const override { return device_->kind(); }
  absl::string_view flush() const override { return device_->flush(); }
  // Persistent memory, whatever it lies on: lines that are flushed here are kept.
  std::optional<dax::HostMemory> host_memory() const override {
    std::optional<dax::HostMemory> memory = device_->host_memory();
    if (memory.has_value()) {
      memory->is_persistent = true;
    }
    return memory;
  }

  // The durable bytes at an address.
  std::vector<std::byte> Durable(uint64_t address, size_t length) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto begin = durable_.begin() + static_cast<ptrdiff_t>(address);
    return {begin, begin + static_cast<ptrdiff_t>(length)};
  }

  // What has been flushed since this was asked last.
  std::vector<ByteRange> TakeFlushed() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(flushed_, {});
  }
  // From now on; nothing is listed before.
  void ListFlushed() {
    const std::lock_guard<std::mutex> lock(mutex_);
    lists_ = true;
  }

  void FailNextDrain(const absl::Status& status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    next_drain_ = status;
  }

 private:
  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override {
    return StoreTo(*device_, address, bytes);
  }
  absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) override {
    absl::Status status = StoreThroughTo(*device_, address, bytes);
    Keep(ByteRange{address, bytes.size()});
    return status;
  }
  void FlushLines(const ByteRange& range) override {
    FlushLinesOf(*device_, range);
    Keep(range);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (lists_) {
      flushed_.push_back(range);
    }
  }
  absl::Status DrainFlushed() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!next_drain_.ok()) {
        return std::exchange(next_drain_, absl::OkStatus());
      }
    }
    return DrainFlushedOf(*device_);
  }

  void Keep(const ByteRange& range) {
    const std::lock_guard<std::mutex> lock(mutex_);
    dax::CopyRacing(durable_.data() + range.offset, bytes().data() + range.offset, range.length);
  }

  const std::unique_ptr<dax::Device> device_;
  mutable std::mutex mutex_;
  std::vector<std::byte> durable_;  // these are guarded by mutex_
  std::vector<ByteRange> flushed_;
  bool lists_ = false;
  absl::Status next_drain_;
};

}  // namespace iomap::tests
