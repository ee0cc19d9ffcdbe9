#include "dax/recording_device.h"

#include <algorithm>
#include <utility>

#include "iomap/status_macros.h"
#include "iomap/thread_index.h"

namespace iomap::dax {
namespace {

Line LineOf(absl::Span<const std::byte> bytes, uint64_t line_address) {
  Line line = {};
  const uint64_t length = std::min<uint64_t>(kLineBytes, bytes.size() - line_address);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(line_address), length, line.begin());
  return line;
}

}  // namespace

RecordingDevice::RecordingDevice(std::unique_ptr<Device> device)
    : RecordingDevice(std::move(device), PersistenceModel::Options()) {}

RecordingDevice::RecordingDevice(std::unique_ptr<Device> device,
                                 const PersistenceModel::Options& options)
    : device_(std::move(device)), now_(InitialLines(), options) {
  set_bytes(device_->bytes());
}

PersistenceModel::Initial RecordingDevice::InitialLines() const {
  return [this](uint64_t line_address) { return before_first_store_.at(line_address); };
}

PersistenceModel RecordingDevice::After(size_t event_count,
                                        const PersistenceModel::Options& options) const {
  PersistenceModel model(InitialLines(), options);
  for (size_t i = 0; i < event_count; ++i) {
    model.Apply(trace_[i]);
  }
  return model;
}

void RecordingDevice::Record(DeviceEvent event) {
  now_.Apply(event);
  trace_.push_back(std::move(event));
}

void RecordingDevice::RecordStores(DeviceEvent::Kind kind, uint64_t address,
                                   absl::Span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const uint64_t line_address = address & ~(kLineBytes - 1);
    if (!before_first_store_.contains(line_address)) {
      before_first_store_.emplace(line_address, LineOf(this->bytes(), line_address));
    }
    const uint64_t length = std::min<uint64_t>(bytes.size(), line_address + kLineBytes - address);
    Record(DeviceEvent{
        kind, ThreadIndex(), ByteRange{address, length}, {bytes.begin(), bytes.begin() + length}});
    bytes.remove_prefix(length);
    address += length;
  }
}

absl::Status RecordingDevice::Store(uint64_t address, absl::Span<const std::byte> bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  RecordStores(DeviceEvent::Kind::kStore, address, bytes);
  return StoreTo(*device_, address, bytes);
}

absl::Status RecordingDevice::StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  RecordStores(DeviceEvent::Kind::kStoreThrough, address, bytes);
  return StoreThroughTo(*device_, address, bytes);
}

void RecordingDevice::FlushLines(const ByteRange& range) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Record(DeviceEvent{DeviceEvent::Kind::kFlush, ThreadIndex(), range});
  FlushLinesOf(*device_, range);
}

absl::Status RecordingDevice::DrainFlushed() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (next_drain_.has_value()) {
    return *std::exchange(next_drain_, std::nullopt);
  }
  Record(DeviceEvent{DeviceEvent::Kind::kDrain, ThreadIndex()});
  return DrainFlushedOf(*device_);
}

void RecordingDevice::RecordView(const ByteRange& range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  trace_.push_back(DeviceEvent{DeviceEvent::Kind::kView, ThreadIndex(), range});
}

void RecordingDevice::RecordLockedOperation() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Record(DeviceEvent{DeviceEvent::Kind::kLockedReadModifyWrite, ThreadIndex()});
}

void RecordingDevice::FailNextDrain(const absl::Status& status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  next_drain_ = status;
}

absl::string_view RecordingDevice::kind() const { return "recording"; }

absl::string_view RecordingDevice::flush() const { return device_->flush(); }

}  // namespace iomap::dax
