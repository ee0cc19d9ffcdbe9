#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/process_memory.h"

namespace iomap::dax {

// A userfaultfd(2): page faults in the ranges that are registered with it are its reader's to
// resolve, or, with kAsync, stores to write-protected pages pass and are noted by the kernel
// (Pagemap::TakeWritten). What is registered stays so when mremap moves it.
//
// Safe for concurrent use. Errors: Unavailable, with the system's words, for what this kernel or
// this user cannot do; Internal for a refusal of a range.
//
// Sources: userfaultfd(2), ioctl_userfaultfd(2), and the kernel's
// Documentation/admin-guide/mm/userfaultfd.rst.
class Userfault {
 public:
  enum class Kind {
    kSync,   // faults of pages that are missing, or write-protected, wait for the reader
    kAsync,  // only faults of frozen pages do
  };
  // Whose faults can be resolved: without the privilege, those of the process's own instructions
  // alone, and system calls that touch such a page fail with EFAULT.
  enum class Faults { kAll, kUserMode };

  // A fault that waits to be resolved.
  struct Fault {
    uintptr_t address;
    bool is_store;
  };

  static absl::StatusOr<std::unique_ptr<Userfault>> Open(Kind kind, Faults faults);
  ~Userfault();
  Userfault(const Userfault&) = delete;
  Userfault& operator=(const Userfault&) = delete;

  // Registers mapped pages: for stores to those that are write-protected (kWriteProtected), for
  // all that touch pages that are not there, too (kMissing), or for whoever has to look a page up
  // again (kFrozen: of shared memory, with kAsync).
  enum class Trap { kWriteProtected, kMissing, kFrozen };
  absl::Status Register(const MemoryRange& pages, Trap trap);
  // Also for pages that nobody has touched.
  absl::Status WriteProtect(const MemoryRange& pages);
  // Nobody who waits is woken.
  absl::Status AllowStores(const MemoryRange& pages);
  // Lets whoever waits for `pages` try again.
  void Wake(const MemoryRange& pages);

  // The next fault, for poll(2) on descriptor(); nothing when there is none. Must be called until
  // then when there is anything to read: mremap of registered pages waits for that.
  std::optional<Fault> Next();
  int descriptor() const { return descriptor_; }

 private:
  explicit Userfault(int descriptor) : descriptor_(descriptor) {}

  absl::Status SetProtection(const MemoryRange& pages, uint64_t mode);

  const int descriptor_;
};

}  // namespace iomap::dax
