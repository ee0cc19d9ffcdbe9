#include "dax/soft_page_table.h"

#include <cstring>

#include "dax/racing_copy.h"
#include "iomap/check.h"
#include "iomap/scheduler.h"

namespace iomap::dax {
namespace {

bool IsHuge(const ByteRange& pages) {
  return pages.length == kHugePageBytes && pages.offset % kHugePageBytes == 0;
}

}  // namespace

const SoftPageTable::Place* SoftPageTable::Find(uint64_t offset, uint64_t& address) const {
  if (const auto base = base_.find(offset / kPageBytes); base != base_.end()) {
    address = base->second.address + offset % kPageBytes;
    return &base->second;
  }
  if (const auto huge = huge_.find(offset / kHugePageBytes); huge != huge_.end()) {
    address = huge->second.address + offset % kHugePageBytes;
    return &huge->second;
  }
  return nullptr;
}

bool SoftPageTable::Load(uint64_t offset, absl::Span<std::byte> out) {
  const MutexLock lock(mutex_);
  uint64_t address = 0;
  const Place* place = Find(offset, address);
  if (place == nullptr) {
    return false;
  }
  if (place->device == nullptr) {
    std::memset(out.data(), 0, out.size());
    return true;
  }
  SchedulePoint(Step::kLoad, place->device, ByteRange{address, out.size()}, Effect::kReads);
  CopyRacing(out.data(), place->device->bytes().data() + address, out.size());
  return true;
}

bool SoftPageTable::Store(uint64_t offset, absl::Span<const std::byte> bytes) {
  const MutexLock lock(mutex_);
  uint64_t address = 0;
  const Place* place = Find(offset, address);
  if (place == nullptr || !place->writable) {
    return false;
  }
  // A place that was mapped for stores lies on its device.
  IOMAP_CHECK(place->device->Write(address, bytes).ok());
  return true;
}

void SoftPageTable::MapLocked(const ByteRange& pages, const Place& place) {
  UnmapLocked(pages);
  if (largest_ == PageSize::kHuge && IsHuge(pages)) {
    huge_.insert_or_assign(pages.offset / kHugePageBytes, place);
    return;
  }
  for (uint64_t done = 0; done < pages.length; done += kPageBytes) {
    Place page = place;
    page.address += done;
    base_.insert_or_assign((pages.offset + done) / kPageBytes, page);
  }
}

absl::Status SoftPageTable::Map(const ByteRange& pages, Device& device, uint64_t address,
                                Access access) {
  const MutexLock lock(mutex_);
  MapLocked(pages, Place{&device, address, access == Access::kWrite});
  return absl::OkStatus();
}

absl::Status SoftPageTable::MapZeroes(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  MapLocked(pages, Place{});
  return absl::OkStatus();
}

void SoftPageTable::UnmapLocked(const ByteRange& pages) {
  const uint64_t first = pages.offset / kPageBytes;
  const uint64_t end = (pages.end() + kPageBytes - 1) / kPageBytes;
  if (end - first > base_.size()) {  // a range that is longer than what there is
    absl::erase_if(base_,
                   [&](const auto& page) { return page.first >= first && page.first < end; });
  } else {
    for (uint64_t page = first; page < end; ++page) {
      base_.erase(page);
    }
  }
  absl::erase_if(huge_, [&](const auto& page) {
    return ByteRange{page.first * kHugePageBytes, kHugePageBytes}.Overlaps(pages);
  });
}

void SoftPageTable::Unmap(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  UnmapLocked(pages);
}

void SoftPageTable::WriteProtect(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  for (uint64_t offset = pages.offset; offset < pages.end(); offset += kPageBytes) {
    if (const auto base = base_.find(offset / kPageBytes); base != base_.end()) {
      base->second.writable = false;
    }
  }
  for (uint64_t offset = pages.offset - pages.offset % kHugePageBytes; offset < pages.end();
       offset += kHugePageBytes) {
    if (const auto huge = huge_.find(offset / kHugePageBytes); huge != huge_.end()) {
      huge->second.writable = false;
    }
  }
}

}  // namespace iomap::dax
