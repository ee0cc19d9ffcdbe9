#include "dax/userfault_traps.h"

#include <sys/mman.h>

#include <utility>

#include "dax/entry.h"
#include "iomap/status_macros.h"

namespace iomap::dax {

absl::StatusOr<std::unique_ptr<PageTraps>> UserfaultTraps::Make(Tracking tracking) {
  const Userfault::Faults resolved =
      tracking == Tracking::kAsyncUser ? Userfault::Faults::kUserMode : Userfault::Faults::kAll;
  IOMAP_ASSIGN_OR_RETURN(auto faults, Userfault::Open(Userfault::Kind::kSync, resolved));
  std::unique_ptr<Userfault> stores;
  std::unique_ptr<Pagemap> pagemap;
  if (tracking != Tracking::kWriteFaults) {
    IOMAP_ASSIGN_OR_RETURN(stores, Userfault::Open(Userfault::Kind::kAsync, resolved));
    IOMAP_ASSIGN_OR_RETURN(pagemap, Pagemap::Open());
  }
  return std::unique_ptr<PageTraps>(
      new UserfaultTraps(std::move(faults), std::move(stores), std::move(pagemap)));
}

absl::Status UserfaultTraps::Begin(const MemoryRange& whole) {
  // Nobody reads the events of a move yet: the reservation itself becomes the first pages.
  if (mprotect(PointerTo(whole.begin), whole.bytes, PROT_READ | PROT_WRITE) != 0) {
    return SystemError("mprotect");
  }
  return faults_->Register(whole, Userfault::Trap::kMissing);
}

absl::Status UserfaultTraps::Try(int descriptor, uint64_t offset) {
  if (!notes_stores()) {
    return PageTraps::Try(descriptor, offset);
  }
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made,
                         MakePages(kPageBytes, {PageState::kWritable, descriptor, offset}));
  bool as_if_stored_to = false;  // it is clean
  absl::Status status = TakeWritten(made, [&](const MemoryRange&) { as_if_stored_to = true; });
  UnmapMemory(made);
  return as_if_stored_to ? absl::UnavailableError("PAGEMAP_SCAN: a clean page was stored to")
                         : status;
}

absl::StatusOr<MemoryRange> UserfaultTraps::MakePages(size_t bytes, const Pages& pages) {
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  if (pages.state == PageState::kRefused) {
    return MapNothing(bytes);
  }
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made,
                         pages.descriptor < 0
                             ? MapAnonymous(bytes, kProtection)
                             : MapFile(bytes, kProtection, pages.descriptor, pages.offset));
  if (const absl::Status status = Protect(made, pages.state); !status.ok()) {
    UnmapMemory(made);
    return status;
  }
  return made;
}

absl::Status UserfaultTraps::Protect(const MemoryRange& made, PageState state) {
  if (state == PageState::kUnmapped) {
    return faults_->Register(made, Userfault::Trap::kMissing);
  }
  Userfault& traps = state == PageState::kWritable ? *stores_ : *faults_;
  const absl::Status registered = traps.Register(made, Userfault::Trap::kWriteProtected);
  if (!registered.ok() && state == PageState::kReadOnly && notes_stores()) {
    return absl::UnimplementedError(registered.message());
  }
  IOMAP_RETURN_IF_ERROR(registered);
  return traps.WriteProtect(made);
}

absl::Status UserfaultTraps::TakeWritten(const MemoryRange& pages,
                                         absl::FunctionRef<void(const MemoryRange&)> written) {
  return pagemap_->TakeWritten(pages, written);
}

bool UserfaultTraps::Freeze(const MemoryRange& pages) {
  return stores_->Register(pages, Userfault::Trap::kFrozen).ok() &&
         madvise(PointerTo(pages.begin), pages.bytes, MADV_DONTNEED) == 0;
}

absl::Status UserfaultTraps::AllowStores(const MemoryRange& pages) {
  return faults_->AllowStores(pages);
}

absl::Status UserfaultTraps::TrapStores(const MemoryRange& pages) {
  return faults_->WriteProtect(pages);
}

std::vector<pollfd> UserfaultTraps::descriptors() const {
  std::vector<pollfd> result = {{faults_->descriptor(), POLLIN, 0}};
  if (stores_ != nullptr) {
    result.push_back({stores_->descriptor(), POLLIN, 0});
  }
  return result;
}

std::optional<PageTraps::Fault> UserfaultTraps::NextFault() {
  for (Userfault* const traps : {faults_.get(), stores_.get()}) {
    if (traps == nullptr) {
      continue;
    }
    if (const std::optional<Userfault::Fault> fault = traps->Next(); fault.has_value()) {
      return Fault{fault->address, fault->is_store, nullptr};
    }
  }
  return std::nullopt;
}

void UserfaultTraps::LetGo(const Fault& fault) {
  const MemoryRange page{fault.address & ~(uintptr_t{kPageBytes} - 1), kPageBytes};
  faults_->Wake(page);
  if (stores_ != nullptr) {
    stores_->Wake(page);
  }
}

}  // namespace iomap::dax
