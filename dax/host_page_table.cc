#include "dax/host_page_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// Linux allows 65,530 mappings a process (vm.max_map_count); others want some.
constexpr size_t kMostPieces = 48'000;

absl::Status SystemError(absl::string_view call) {
  return absl::UnavailableError(absl::StrCat(call, ": ", std::strerror(errno)));
}

void* PointerTo(uintptr_t address) {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): of an mmap
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostPageTable>> HostPageTable::Make(uint64_t bytes,
                                                                   Userfault::Faults faults) {
  const uint64_t size = (bytes + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  if (bytes == 0 || size < bytes) {
    return absl::InvalidArgumentError(absl::StrCat("a mapping of ", bytes, " bytes"));
  }
  IOMAP_ASSIGN_OR_RETURN(auto of_faults, Userfault::Open(Userfault::Kind::kSync, faults));
  IOMAP_ASSIGN_OR_RETURN(auto of_stores, Userfault::Open(Userfault::Kind::kAsync, faults));
  IOMAP_ASSIGN_OR_RETURN(auto pagemap, Pagemap::Open());
  const int empty = memfd_create("nothing", MFD_CLOEXEC);
  if (empty < 0) {
    return SystemError("memfd_create");
  }
  // One huge page more, to begin at a multiple of one.
  void* const reserved = mmap(nullptr, size + kHugePageBytes, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) {
    const absl::Status status = SystemError("mmap");
    close(empty);
    return status;
  }
  const auto begin = reinterpret_cast<uintptr_t>(reserved);
  const uintptr_t base = (begin + kHugePageBytes - 1) & ~(uintptr_t{kHugePageBytes} - 1);
  if (base > begin) {
    munmap(reserved, base - begin);
  }
  if (begin + kHugePageBytes > base) {
    munmap(PointerTo(base + size), begin + kHugePageBytes - base);
  }
  auto table = std::unique_ptr<HostPageTable>(new HostPageTable(
      base, size, std::move(of_faults), std::move(of_stores), std::move(pagemap), empty));
  const MutexLock lock(table->mutex_);
  // Nobody reads the events of a move yet: the reservation itself becomes the first piece.
  if (mprotect(PointerTo(base), size, PROT_READ | PROT_WRITE) != 0 ||
      madvise(PointerTo(base), size, MADV_DONTFORK) != 0) {
    return SystemError("mprotect");
  }
  IOMAP_RETURN_IF_ERROR(
      table->faults_->Register(MemoryRange{base, size}, Userfault::Trap::kMissing));
  return table;
}

HostPageTable::HostPageTable(uintptr_t base, uint64_t size, std::unique_ptr<Userfault> faults,
                             std::unique_ptr<Userfault> stores, std::unique_ptr<Pagemap> pagemap,
                             int empty)
    : base_(base),
      size_(size),
      faults_(std::move(faults)),
      stores_(std::move(stores)),
      pagemap_(std::move(pagemap)),
      empty_(empty) {
  pieces_.emplace(0, Piece{.length = size});
}

HostPageTable::~HostPageTable() {
  munmap(PointerTo(base_), size_);
  close(empty_);
}

absl::StatusOr<MemoryRange> HostPageTable::MakePiece(const Piece& piece) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  int descriptor = -1;
  uint64_t offset = 0;
  if (piece.device != nullptr) {
    const std::optional<HostMemory> memory = piece.device->host_memory();
    if (!memory.has_value() || (memory->offset + piece.address) % kPageBytes != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("a device of this kind (", piece.device->kind(),
                       ") cannot be mapped by a process at ", piece.address));
    }
    flags = MAP_SHARED;
    descriptor = memory->descriptor;
    offset = memory->offset + piece.address;
  } else if (piece.state == State::kRefused) {
    flags = MAP_SHARED;
    descriptor = empty_;
  }
  void* const made = mmap(nullptr, piece.length, PROT_READ | PROT_WRITE, flags, descriptor,
                          static_cast<off_t>(offset));
  if (made == MAP_FAILED) {
    return SystemError("mmap");
  }
  const MemoryRange memory{reinterpret_cast<uintptr_t>(made), piece.length};
  absl::Status status =
      madvise(made, piece.length, MADV_DONTFORK) == 0 ? absl::OkStatus() : SystemError("madvise");
  if (status.ok() && piece.state != State::kRefused) {
    Userfault& traps = piece.state == State::kWritable ? *stores_ : *faults_;
    const bool unmapped = piece.state == State::kUnmapped;
    status = traps.Register(
        memory, unmapped ? Userfault::Trap::kMissing : Userfault::Trap::kWriteProtected);
    if (status.ok() && !unmapped) {
      status = traps.WriteProtect(memory);
    }
  }
  if (!status.ok()) {
    munmap(made, piece.length);
    return status;
  }
  return memory;
}

absl::Status HostPageTable::Put(const ByteRange& pages, Piece piece) {
  if (pages.empty()) {
    return absl::OkStatus();
  }
  // What goes may leave a piece on either side; a last reserve is for taking pieces away.
  const size_t most = piece.state == State::kUnmapped ? kMostPieces + 2'000 : kMostPieces;
  if (pieces_.size() + 2 > most) {
    return absl::ResourceExhaustedError(
        absl::StrCat("offset ", pages.offset, ": a process can have no more than ", most,
                     " pieces of files mapped; larger extents need fewer"));
  }
  piece.length = pages.length;
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made, MakePiece(piece));
  if (mremap(PointerTo(made.begin), made.bytes, made.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
             PointerTo(base_ + pages.offset)) == MAP_FAILED) {
    const absl::Status status = SystemError("mremap");
    munmap(PointerTo(made.begin), made.bytes);
    return status;
  }
  Note(pages, piece);
  return absl::OkStatus();
}

void HostPageTable::Split(uint64_t offset) {
  if (offset >= size_) {
    return;
  }
  const auto holder = std::prev(pieces_.upper_bound(offset));
  const uint64_t before = offset - holder->first;
  if (before == 0) {
    return;
  }
  Piece rest = holder->second;
  rest.length -= before;
  rest.address += rest.device != nullptr ? before : 0;
  holder->second.length = before;
  pieces_.emplace(offset, rest);
}

void HostPageTable::JoinWithNext(Pieces::iterator piece) {
  const auto next = std::next(piece);
  if (next == pieces_.end()) {
    return;
  }
  const Piece& left = piece->second;
  const Piece& right = next->second;
  if (left.state == right.state && left.device == right.device &&
      (left.device == nullptr || left.address + left.length == right.address)) {
    piece->second.length += right.length;
    pieces_.erase(next);
  }
}

void HostPageTable::Note(const ByteRange& pages, const Piece& piece) {
  Split(pages.offset);
  Split(pages.end());
  pieces_.erase(pieces_.lower_bound(pages.offset), pieces_.lower_bound(pages.end()));
  auto noted = pieces_.emplace(pages.offset, piece).first;
  JoinWithNext(noted);
  noted = pieces_.find(pages.offset);
  if (noted != pieces_.begin()) {
    JoinWithNext(std::prev(noted));
  }
}

template <typename Body>
void HostPageTable::ForEachPiece(const ByteRange& pages, Body&& body) {
  if (pages.empty()) {
    return;
  }
  for (auto i = std::prev(pieces_.upper_bound(pages.offset));
       i != pieces_.end() && i->first < pages.end(); ++i) {
    const ByteRange part = pages.Intersect(ByteRange{i->first, i->second.length});
    Piece piece = i->second;
    piece.length = part.length;
    piece.address += piece.device != nullptr ? part.offset - i->first : 0;
    body(part, piece);
  }
}

absl::Status HostPageTable::Map(const ByteRange& pages, Device& device, uint64_t address,
                                Access access) {
  const ByteRange shown = Shown(pages);
  const MutexLock lock(mutex_);
  bool writable = true;  // already: another thread had the same fault
  ForEachPiece(shown, [&](const ByteRange& part, const Piece& piece) {
    const bool same = piece.state == State::kWritable && piece.device == &device &&
                      piece.address == address + (part.offset - pages.offset);
    IOMAP_CHECK(same || piece.state != State::kWritable);  // what was noted of it would be lost
    writable &= same;
  });
  if (writable) {
    return absl::OkStatus();
  }
  return Put(shown, Piece{.state = access == Access::kWrite ? State::kWritable : State::kReadOnly,
                          .device = &device,
                          .address = address});
}

absl::Status HostPageTable::MapUnmapped(const ByteRange& pages, Device& device, uint64_t address) {
  const MutexLock lock(mutex_);
  std::vector<ByteRange> unmapped;
  ForEachPiece(Shown(pages), [&](const ByteRange& part, const Piece& piece) {
    if (piece.state == State::kUnmapped) {
      unmapped.push_back(part);
    }
  });
  for (const ByteRange& part : unmapped) {
    IOMAP_RETURN_IF_ERROR(Put(part, Piece{.state = State::kWritable,
                                          .device = &device,
                                          .address = address + (part.offset - pages.offset)}));
  }
  return absl::OkStatus();
}

absl::Status HostPageTable::MapZeroes(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  return Put(Shown(pages), Piece{.state = State::kZeroes});
}

absl::Status HostPageTable::Refuse(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  return Put(Shown(pages), Piece{.state = State::kRefused});
}

void HostPageTable::Unmap(const ByteRange& pages) {
  const absl::Status status =
      UnmapTakingWritten(pages, [](const ByteRange&, const Device&, uint64_t) {});
  IOMAP_CHECK(status.ok());
}

absl::Status HostPageTable::UnmapTakingWritten(const ByteRange& pages, Written written) {
  const ByteRange shown = Shown(pages);
  const MutexLock lock(mutex_);
  ByteRange mapped;  // from the first page to the last one that is
  ForEachPiece(shown, [&](const ByteRange& part, const Piece& piece) {
    if (piece.state != State::kUnmapped) {
      mapped = ByteRange::Between(mapped.empty() ? part.offset : mapped.offset, part.end());
    }
  });
  IOMAP_RETURN_IF_ERROR(Freeze(mapped));
  IOMAP_RETURN_IF_ERROR(TakeWrittenLocked(mapped, written));
  return Put(mapped, Piece{.state = State::kUnmapped});
}

absl::Status HostPageTable::Freeze(const ByteRange& pages) {
  absl::Status status;
  ForEachPiece(pages, [&](const ByteRange& part, const Piece& piece) {
    if (piece.state != State::kWritable) {
      return;
    }
    const MemoryRange memory = MemoryOf(part);
    status.Update(stores_->Register(memory, Userfault::Trap::kFrozen));
    // The pages stay in their file, and what was noted of them stays noted.
    if (madvise(PointerTo(memory.begin), memory.bytes, MADV_DONTNEED) != 0) {
      status.Update(SystemError("madvise"));
    }
  });
  return status;
}

absl::Status HostPageTable::TakeWritten(const ByteRange& pages, Written written) {
  const MutexLock lock(mutex_);
  return TakeWrittenLocked(Shown(pages), written);
}

absl::Status HostPageTable::TakeWrittenLocked(const ByteRange& pages, Written written) {
  if (pages.empty()) {
    return absl::OkStatus();
  }
  return pagemap_->TakeWritten(MemoryOf(pages), [&](const MemoryRange& memory) {
    ForEachPiece(ByteRange{memory.begin - base_, memory.bytes},
                 [&](const ByteRange& part, const Piece& piece) {
                   if (piece.state == State::kWritable) {
                     written(part, *piece.device, piece.address);
                   }
                 });
  });
}

std::array<pollfd, 2> HostPageTable::descriptors() const {
  return {pollfd{faults_->descriptor(), POLLIN, 0}, pollfd{stores_->descriptor(), POLLIN, 0}};
}

std::optional<HostPageTable::Fault> HostPageTable::NextFault() {
  for (Userfault* const traps : {faults_.get(), stores_.get()}) {
    if (const std::optional<Userfault::Fault> fault = traps->Next(); fault.has_value()) {
      return Fault{(fault->address - base_) & ~(kPageBytes - 1),
                   fault->is_store ? Access::kWrite : Access::kRead};
    }
  }
  return std::nullopt;
}

void HostPageTable::Wake(const ByteRange& pages) {
  const MemoryRange memory = MemoryOf(Shown(pages));
  faults_->Wake(memory);
  stores_->Wake(memory);
}

bool HostPageTable::IsUnmapped(uint64_t offset) {
  const MutexLock lock(mutex_);
  return std::prev(pieces_.upper_bound(offset))->second.state == State::kUnmapped;
}

}  // namespace iomap::dax
