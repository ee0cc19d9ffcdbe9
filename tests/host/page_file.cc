#include "tests/host/page_file.h"

#include <sys/stat.h>

#include <algorithm>

#include "dax/entry.h"

namespace iomap::tests {

using dax::kPageBytes;

PageFile::PageFile(const dax::DeviceSet& devices, uint64_t pages)
    : dax::File(InodeNumber{7}, devices), addresses_(pages) {}

absl::StatusOr<Attributes> PageFile::attributes() {
  Attributes attributes;
  attributes.type = FileType::kRegular;
  attributes.mode = S_IFREG | 0644;
  attributes.size = addresses_.size() * kPageBytes;
  return attributes;
}

Mapping PageFile::PageAt(uint64_t page) {
  Mapping mapping{.offset = page * kPageBytes, .length = kPageBytes};
  const std::lock_guard<std::mutex> lock(mutex_);
  if (page < addresses_.size() && addresses_[page].has_value()) {
    mapping.type = MappingType::kMapped;
    mapping.address = *addresses_[page];
  }
  return mapping;
}

absl::StatusOr<size_t> PageFile::MapForRead(const ByteRange& range, absl::Span<Mapping> out) {
  out[0] = PageAt(range.offset / kPageBytes);
  return 1;
}

absl::StatusOr<WriteMapping> PageFile::MapForFault(const InvalidateHeld& /*invalidate*/,
                                                   const ByteRange& pages) {
  on_fault();
  const uint64_t page = pages.offset / kPageBytes;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!addresses_[page].has_value()) {
      addresses_[page] = changes_ * kPageBytes;  // zeros, as the device is new
      ++changes_;
    }
  }
  return WriteMapping{.target = PageAt(page)};
}

absl::Status PageFile::CommitUpTo(uint64_t change) {
  uint64_t committed = committed_;
  while (committed < change && !committed_.compare_exchange_weak(committed, change)) {
  }
  return absl::OkStatus();
}

}  // namespace iomap::tests
