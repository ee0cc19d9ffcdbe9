#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/process_memory.h"

namespace iomap::dax {

// What the kernel says of the pages of this process (/proc/self/pagemap). Safe for concurrent use.
//
// Errors: Unavailable where the kernel has no such file, or no PAGEMAP_SCAN; Internal for a refusal
// of a range. Source: the kernel's Documentation/admin-guide/mm/pagemap.rst.
class Pagemap {
 public:
  static absl::StatusOr<std::unique_ptr<Pagemap>> Open();
  ~Pagemap();
  Pagemap(const Pagemap&) = delete;
  Pagemap& operator=(const Pagemap&) = delete;

  // Calls `written` for each run of pages, registered with an asynchronous Userfault, that were
  // stored to since they were write-protected last, or never were, and write-protects them again:
  // a store is seen by this call or by the next. Other pages of the range are passed over.
  absl::Status TakeWritten(const MemoryRange& pages,
                           absl::FunctionRef<void(const MemoryRange&)> written) const;

  // How many bytes of `pages` the process reaches by entries of 2 MiB (or more).
  absl::StatusOr<size_t> HugeBytes(const MemoryRange& pages) const;

 private:
  explicit Pagemap(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
};

}  // namespace iomap::dax
