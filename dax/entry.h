#pragma once

#include <cstdint>

#include "iomap/byte_range.h"

namespace iomap::dax {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;
inline constexpr uint64_t kPagesPerHugePage = kHugePageBytes / kPageBytes;

// How much one entry, or one page-table entry, maps.
enum class PageSize : uint8_t { kBase, kHuge };

// Bytes.
constexpr uint64_t PageSizeBytes(PageSize size) {
  return size == PageSize::kBase ? kPageBytes : kHugePageBytes;
}

// What an address space knows of a page of a file.
enum class EntryKind : uint8_t {
  kEmpty,     // nothing: a place to hold the lock
  kZeroPage,  // a hole, read through a page of zeros
  kPresent,   // the page's bytes lie at an address
};

// The value of an entry. It keeps the place where the bytes lie, so that a flush does not look it
// up again. A plain value.
struct Entry {
  EntryKind kind = EntryKind::kEmpty;
  uint8_t device = 0;    // of the file system, when present
  uint64_t address = 0;  // bytes on the device, a multiple of the page size, when present

  friend constexpr bool operator==(const Entry&, const Entry&) = default;
};

// Where an entry lies: the first of the base pages of the file that it covers.
struct Slot {
  uint64_t page = 0;  // file offset / kPageBytes; a multiple of kPagesPerHugePage when huge
  PageSize size = PageSize::kBase;

  constexpr uint64_t page_count() const { return PageSizeBytes(size) / kPageBytes; }
  constexpr uint64_t end_page() const { return page + page_count(); }
  constexpr ByteRange bytes() const { return ByteRange{page * kPageBytes, PageSizeBytes(size)}; }

  friend constexpr bool operator==(const Slot&, const Slot&) = default;
};

}  // namespace iomap::dax
