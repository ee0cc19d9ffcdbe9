#include "dax/device.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "iomap/check.h"
#include "iomap/scheduler.h"
#include "iomap/status_macros.h"

namespace iomap::dax {

Device::~Device() = default;

absl::Status Device::CheckRange(const ByteRange& range) const {
  if (range.offset > size() || range.length > size() - range.offset) [[unlikely]] {
    return absl::DataLossError(absl::StrCat("byte ", range.offset, ", length ", range.length,
                                            ": past the end of the device, ", size(), " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<const std::byte>> Device::View(const ByteRange& range) const {
  IOMAP_RETURN_IF_ERROR(CheckRange(range));
  if (records_views_) [[unlikely]] {
    RecordView(range);
  }
  return bytes_.subspan(range.offset, range.length);
}

absl::Status Device::Write(uint64_t address, absl::Span<const std::byte> bytes) {
  const ByteRange range{address, bytes.size()};
  IOMAP_RETURN_IF_ERROR(CheckRange(range));
  if (bytes.empty()) {
    return absl::OkStatus();
  }
  SchedulePoint(Step::kStore, this, range, Effect::kWrites);
  return Store(address, bytes);
}

absl::Status Device::WriteThrough(uint64_t address, absl::Span<const std::byte> bytes) {
  const ByteRange range{address, bytes.size()};
  IOMAP_RETURN_IF_ERROR(CheckRange(range));
  if (bytes.empty()) {
    return absl::OkStatus();
  }
  SchedulePoint(Step::kStore, this, range, Effect::kWrites);
  return StoreThrough(address, bytes);
}

absl::Status Device::Zero(const ByteRange& range) {
  IOMAP_RETURN_IF_ERROR(CheckRange(range));
  if (range.empty()) {
    return absl::OkStatus();
  }
  SchedulePoint(Step::kStore, this, range, Effect::kWrites);
  return StoreZeroes(range);
}

void Device::Flush(const ByteRange& range) {
  IOMAP_CHECK(CheckRange(range).ok());
  if (range.empty()) {
    return;
  }
  // A flush sees what was stored to its lines, as a load does.
  SchedulePoint(Step::kEntryFlush, this, range.AlignOutward(kLineBytes), Effect::kReads);
  FlushLines(range);
}

absl::Status Device::Drain() {
  SchedulePoint(Step::kDrain, durability(), ByteRange{0, 1}, Effect::kReads);
  return DrainFlushed();
}

absl::Status Device::Persist(const ByteRange& range) {
  Flush(range);
  return Drain();
}

absl::Status Device::StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) {
  return Store(address, bytes);
}

absl::Status Device::StoreZeroes(const ByteRange& range) {
  static constexpr std::array<std::byte, 4096> kZeroes = {};
  for (uint64_t done = 0; done < range.length; done += kZeroes.size()) {
    const uint64_t length = std::min<uint64_t>(kZeroes.size(), range.length - done);
    IOMAP_RETURN_IF_ERROR(
        StoreThrough(range.offset + done, absl::MakeConstSpan(kZeroes).first(length)));
  }
  return absl::OkStatus();
}

void Device::FlushLines(const ByteRange& /*range*/) {}

absl::Status Device::DrainFlushed() { return absl::OkStatus(); }

void Device::RecordView(const ByteRange& /*range*/) const {}

}  // namespace iomap::dax
