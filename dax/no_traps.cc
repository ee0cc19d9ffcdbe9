#include "dax/no_traps.h"

#include <sys/mman.h>

namespace iomap::dax {

absl::StatusOr<std::unique_ptr<PageTraps>> NoTraps::Make() { return std::make_unique<NoTraps>(); }

absl::Status NoTraps::Begin(const MemoryRange& whole) {
  return Put(whole, Pages{.state = PageState::kUnmapped});
}

absl::StatusOr<MemoryRange> NoTraps::MakePages(size_t bytes, const Pages& pages) {
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

absl::Status NoTraps::TakeWritten(const MemoryRange& pages,
                                  absl::FunctionRef<void(const MemoryRange&)> written) {
  written(pages);
  return absl::OkStatus();
}

}  // namespace iomap::dax
