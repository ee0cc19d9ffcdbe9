#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iomap::dax {

// Addresses of this process.
struct MemoryRange {
  uintptr_t begin = 0;
  size_t bytes = 0;

  uintptr_t end() const { return begin + bytes; }
};

// What the last call of the system that failed left in errno, as a status: ResourceExhausted when
// it was short of something (memory, or pieces that may be mapped), Unavailable otherwise.
absl::Status SystemError(absl::string_view call);

// `address`, which was one.
void* PointerTo(uintptr_t address);

// mmap(2), somewhere; none of it is inherited by a child of fork(2). `protection` as there. Errors:
// SystemError.
absl::StatusOr<MemoryRange> MapFile(size_t bytes, int protection, int descriptor, uint64_t offset);
absl::StatusOr<MemoryRange> MapAnonymous(size_t bytes, int protection);
// Any access to these ends in SIGBUS.
absl::StatusOr<MemoryRange> MapNothing(size_t bytes);
// Addresses that nothing else gets, from a multiple of 2 MiB on; any access ends in SIGSEGV.
absl::StatusOr<MemoryRange> ReserveMemory(size_t bytes);

// Puts what is mapped at `from` at `to`, instead of what is there, in one step (mremap). On an
// error it is unmapped.
absl::Status MoveMemory(const MemoryRange& from, uintptr_t to);

// munmap(2), of nothing too.
void UnmapMemory(const MemoryRange& range);

}  // namespace iomap::dax
