#include "dax/pmem_namespace.h"

#include "dax/entry.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::dax {

absl::Status PmemNamespace::Put(uint64_t address, absl::Span<const std::byte> bytes, Fua fua) {
  IOMAP_RETURN_IF_ERROR(device_.WriteThrough(address, bytes));
  const bool drains = request_drain_ == RequestDrain::kEach || fua == Fua::kYes;
  return drains && mode_ != FlushMode::kNothing ? device_.Drain() : absl::OkStatus();
}

absl::Status PmemNamespace::MakeRequest(uint64_t address, absl::Span<const std::byte> bytes,
                                        Fua fua) {
  return Put(address, bytes, fua);
}

absl::Status PmemNamespace::RwPage(uint64_t page_number, absl::Span<const std::byte> page) {
  IOMAP_CHECK(page.size() == kPageBytes);
  return Put(page_number * kPageBytes, page, Fua::kNo);
}

absl::Status PmemNamespace::RwBytes(uint64_t address, absl::Span<const std::byte> bytes) {
  return Put(address, bytes, Fua::kNo);
}

absl::Status PmemNamespace::Flush() {
  switch (mode_) {
    case FlushMode::kTrailingDrain:
      return device_.Drain();
    case FlushMode::kBigHammer:
      return device_.Persist(ByteRange{0, device_.size()});
    case FlushMode::kNothing:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace iomap::dax
