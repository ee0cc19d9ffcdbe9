#include "dax/no_traps.h"

#include <sys/mman.h>

#include "dax/entry.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

absl::StatusOr<MemoryRange> MakePages(size_t bytes, const PageTraps::Pages& pages) {
  switch (pages.state) {
    case PageState::kUnmapped:
    case PageState::kRefused:
      return MapNothing(bytes);
    case PageState::kZeroes:
      return MapAnonymous(bytes, PROT_READ);
    case PageState::kReadOnly:
      return MapFile(bytes, PROT_READ, pages.descriptor, pages.offset);
    case PageState::kWritable:
      break;
  }
  return MapFile(bytes, PROT_READ | PROT_WRITE, pages.descriptor, pages.offset);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageTraps>> NoTraps::Make() { return std::make_unique<NoTraps>(); }

absl::Status NoTraps::Begin(const MemoryRange& whole) {
  return Put(whole, Pages{.state = PageState::kUnmapped});
}

absl::Status NoTraps::Put(const MemoryRange& place, const Pages& pages) {
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made, MakePages(place.bytes, pages));
  return MoveMemory(made, place.begin);
}

absl::Status NoTraps::Try(int descriptor, uint64_t offset) {
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made,
                         MakePages(kPageBytes, {PageState::kWritable, descriptor, offset}));
  UnmapMemory(made);
  return absl::OkStatus();
}

absl::Status NoTraps::TakeWritten(const MemoryRange& pages,
                                  absl::FunctionRef<void(const MemoryRange&)> written) {
  written(pages);
  return absl::OkStatus();
}

}  // namespace iomap::dax
