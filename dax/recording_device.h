#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "dax/device.h"
#include "dax/device_event.h"
#include "dax/persistence_model.h"

namespace iomap::dax {

// Another device, with a trace of what happens to it, in order, and what its medium may hold after
// a crash at any moment of the trace. Stores that a program makes through a mapping of its own are
// not seen: they go through a SoftMapping. Safe for concurrent use.
class RecordingDevice : public Device {
 public:
  explicit RecordingDevice(std::unique_ptr<Device> device);
  RecordingDevice(std::unique_ptr<Device> device, const PersistenceModel::Options& options);

  // While no other thread uses the device.
  const std::vector<DeviceEvent>& trace() const { return trace_; }
  // What the medium may hold now.
  const PersistenceModel& now() const { return now_; }
  // What it may hold after the first `event_count` events of the trace.
  PersistenceModel After(size_t event_count, const PersistenceModel::Options& options) const;

  void set_records_views(bool record) { RecordViews(record); }
  void RecordLockedOperation();

  // The next Drain fails with `status`: what the calling thread had flushed is not durable.
  void FailNextDrain(const absl::Status& status);

  absl::string_view kind() const override;
  absl::string_view flush() const override;

 private:
  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override;
  absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) override;
  void FlushLines(const ByteRange& range) override;
  absl::Status DrainFlushed() override;
  void RecordView(const ByteRange& range) const override;

  // With mutex_ held.
  void RecordStores(DeviceEvent::Kind kind, uint64_t address, absl::Span<const std::byte> bytes);
  void Record(DeviceEvent event);
  PersistenceModel::Initial InitialLines() const;

  const std::unique_ptr<Device> device_;
  mutable std::mutex mutex_;
  mutable std::vector<DeviceEvent> trace_;                  // guarded by mutex_
  absl::flat_hash_map<uint64_t, Line> before_first_store_;  // guarded by mutex_
  PersistenceModel now_;                                    // guarded by mutex_
  std::optional<absl::Status> next_drain_;                  // guarded by mutex_
};

}  // namespace iomap::dax
