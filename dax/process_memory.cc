#include "dax/process_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

absl::StatusOr<MemoryRange> Map(size_t bytes, int protection, int flags, int descriptor,
                                uint64_t offset) {
  void* const made =
      mmap(nullptr, bytes, protection, flags, descriptor, static_cast<off_t>(offset));
  if (made == MAP_FAILED) {
    return SystemError("mmap");
  }
  if (madvise(made, bytes, MADV_DONTFORK) != 0) {
    const absl::Status status = SystemError("madvise");
    munmap(made, bytes);
    return status;
  }
  return MemoryRange{reinterpret_cast<uintptr_t>(made), bytes};
}

}  // namespace

absl::Status SystemError(absl::string_view call) {
  const int error = errno;
  const std::string message = absl::StrCat(call, ": ", std::strerror(error));
  if (error == ENOMEM) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message, " (memory, or the mappings that a process may have)"));
  }
  return absl::UnavailableError(message);
}

void* PointerTo(uintptr_t address) {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): of an mmap
}

absl::StatusOr<MemoryRange> MapFile(size_t bytes, int protection, int descriptor, uint64_t offset) {
  return Map(bytes, protection, MAP_SHARED, descriptor, offset);
}

absl::StatusOr<MemoryRange> MapAnonymous(size_t bytes, int protection) {
  return Map(bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

absl::StatusOr<MemoryRange> MapNothing(size_t bytes) {
  static const int empty = memfd_create("nothing", MFD_CLOEXEC);  // as long as the process lives
  return Map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, empty, 0);
}

absl::StatusOr<MemoryRange> ReserveMemory(size_t bytes) {
  // One huge page more, to begin at a multiple of one.
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange reserved,
                         MapAnonymous(bytes + kHugePageBytes, PROT_NONE));
  const uintptr_t begin = (reserved.begin + kHugePageBytes - 1) & ~(uintptr_t{kHugePageBytes} - 1);
  UnmapMemory({reserved.begin, begin - reserved.begin});
  UnmapMemory({begin + bytes, reserved.end() - (begin + bytes)});
  return MemoryRange{begin, bytes};
}

absl::Status MoveMemory(const MemoryRange& from, uintptr_t to) {
  if (mremap(PointerTo(from.begin), from.bytes, from.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
             PointerTo(to)) != MAP_FAILED) {
    return absl::OkStatus();
  }
  absl::Status status = SystemError("mremap");
  UnmapMemory(from);
  return status;
}

void UnmapMemory(const MemoryRange& range) {
  if (range.bytes > 0) {
    munmap(PointerTo(range.begin), range.bytes);
  }
}

}  // namespace iomap::dax
