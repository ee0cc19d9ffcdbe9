#include "dax/soft_mapping.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// The bytes of `range` that lie in the page of its first one.
uint64_t LengthInPage(uint64_t offset, uint64_t length) {
  return std::min(length, kPageBytes - offset % kPageBytes);
}

}  // namespace

PagePin::~PagePin() {
  if (file_ == nullptr) {
    return;
  }
  for (const Page& page : pages_) {
    file_->address_space().Unpin(page.slot);
  }
}

void PagePin::Store(uint64_t offset, absl::Span<const std::byte> bytes) {
  const auto page = std::find_if(pages_.begin(), pages_.end(), [&](const Page& pinned) {
    return pinned.slot.bytes().Contains(ByteRange{offset, bytes.size()});
  });
  IOMAP_CHECK(page != pages_.end());
  Device& device = *file_->devices()[page->place.device];
  IOMAP_CHECK(device.Write(page->place.address + (offset - page->slot.bytes().offset), bytes).ok());
}

SoftMapping::SoftMapping(std::shared_ptr<File> file, const Options& options)
    : file_(std::move(file)),
      options_(options),
      table_(options.largest_page),
      error_cursor_(file_->address_space().ErrorCursor()) {
  file_->address_space().Attach(&table_);
}

SoftMapping::~SoftMapping() { file_->address_space().Detach(&table_); }

absl::Status SoftMapping::Fault(uint64_t offset, Access access) {
  return file_->address_space().Fault(*file_, table_, offset, access, options_.sync);
}

absl::Status SoftMapping::Load(uint64_t offset, absl::Span<std::byte> out) {
  while (!out.empty()) {
    const uint64_t length = LengthInPage(offset, out.size());
    while (!table_.Load(offset, out.first(length))) {
      IOMAP_RETURN_IF_ERROR(Fault(offset, Access::kRead));
    }
    out.remove_prefix(length);
    offset += length;
  }
  return absl::OkStatus();
}

absl::Status SoftMapping::Store(uint64_t offset, absl::Span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const uint64_t length = LengthInPage(offset, bytes.size());
    while (!table_.Store(offset, bytes.first(length))) {
      IOMAP_RETURN_IF_ERROR(Fault(offset, Access::kWrite));
    }
    bytes.remove_prefix(length);
    offset += length;
  }
  return absl::OkStatus();
}

absl::Status SoftMapping::Msync(const ByteRange& range) {
  return file_->Fsync(range, SyncKind::kData, error_cursor_);
}

absl::Status SoftMapping::Fsync(SyncKind kind) {
  return file_->Fsync(ByteRange::All(), kind, error_cursor_);
}

absl::StatusOr<PagePin> SoftMapping::Pin(const ByteRange& range) {
  PagePin pin(file_);
  AddressSpace& space = file_->address_space();
  uint64_t offset = range.offset;
  while (offset < range.end()) {
    IOMAP_RETURN_IF_ERROR(Fault(offset, Access::kWrite));
    const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
    const std::optional<LockedEntry> entry = space.LockEntry(invalidate, offset, PageSize::kBase);
    if (entry->entry().kind != EntryKind::kPresent || !entry->IsDirty()) {
      continue;  // it has left again, or was cleaned: the pin wants it as a store finds it
    }
    space.Pin(*entry);
    pin.pages_.push_back({entry->slot(), entry->entry()});
    offset = entry->slot().bytes().end();
  }
  return pin;
}

}  // namespace iomap::dax
