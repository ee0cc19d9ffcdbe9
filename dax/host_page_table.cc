#include "dax/host_page_table.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

std::atomic<size_t> pieces_of_process = 0;
std::atomic<size_t> most_pieces = HostPageTable::kMostPieces;

// Pieces that only taking others away may need.
constexpr size_t kReserve = 2'000;

}  // namespace

absl::StatusOr<std::unique_ptr<HostPageTable>> HostPageTable::Make(uint64_t bytes,
                                                                   Tracking tracking,
                                                                   bool huge_pages) {
  const uint64_t size = (bytes + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  if (bytes == 0 || size < bytes) {
    return absl::InvalidArgumentError(absl::StrCat("a mapping of ", bytes, " bytes"));
  }
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<PageTraps> traps, PageTraps::Make(tracking));
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange reserved, ReserveMemory(size));
  const absl::Status begun = traps->Begin(reserved);
  if (!begun.ok()) {
    UnmapMemory(reserved);
    return begun;
  }
  return std::unique_ptr<HostPageTable>(new HostPageTable(reserved, std::move(traps), huge_pages));
}

void HostPageTable::LimitPieces(size_t most) { most_pieces = most; }

HostPageTable::HostPageTable(const MemoryRange& memory, std::unique_ptr<PageTraps> traps,
                             bool huge_pages)
    : memory_(memory), traps_(std::move(traps)), huge_pages_(huge_pages), pieces_(memory.bytes) {
  pieces_of_process += pieces_.count();
}

HostPageTable::~HostPageTable() {
  traps_->End(memory_);
  pieces_of_process -= pieces_.count();
}

absl::Status HostPageTable::Put(const ByteRange& pages, const Piece& piece) {
  if (pages.empty()) {
    return absl::OkStatus();
  }
  const bool takes_away = piece.state == PageState::kUnmapped || piece.state == PageState::kRefused;
  const bool whole_piece = pieces_.Around(pages.offset) == pages;
  if (!whole_piece) {
    IOMAP_RETURN_IF_ERROR(CheckCount(pages, most_pieces + (takes_away ? kReserve : 0)));
  }
  PageTraps::Pages put{.state = piece.state};
  if (piece.device != nullptr) {
    const std::optional<HostMemory> memory = piece.device->host_memory();
    if (!memory.has_value() || (memory->offset + piece.address) % kPageBytes != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("a device of this kind (", piece.device->kind(),
                       ") cannot be mapped by a process at ", piece.address));
    }
    put.descriptor = memory->descriptor;
    put.offset = memory->offset + piece.address;
  }
  IOMAP_RETURN_IF_ERROR(traps_->Put(MemoryOf(pages), put));
  SetPiece(pages, piece);
  return absl::OkStatus();
}

// A change may leave another piece on either side.
absl::Status HostPageTable::CheckCount(const ByteRange& pages, size_t most) const {
  if (pieces_of_process + 2 <= most) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("offset ", pages.offset, ": the mapped files of this process are in ",
                   pieces_of_process.load(), " pieces, and ", most_pieces.load(),
                   " is the limit; larger extents need fewer"));
}

void HostPageTable::SetPiece(const ByteRange& pages, const Piece& piece) {
  const size_t before = pieces_.count();
  pieces_.Set(pages, piece);
  pieces_of_process += pieces_.count() - before;
}

bool HostPageTable::IsMappedTo(const ByteRange& pages, const Piece& piece) const {
  bool same = true;
  pieces_.ForEach(pages, [&](const ByteRange& part, const Piece& there) {
    const Piece expected = piece.From(part.offset - pages.offset);
    same &= there.device == expected.device && there.address == expected.address;
  });
  return same;
}

absl::Status HostPageTable::Map(const ByteRange& pages, Device& device, uint64_t address,
                                Access access) {
  const ByteRange shown = Shown(pages);
  const bool for_stores = access == Access::kWrite;
  const Piece piece{for_stores && notes_stores() ? PageState::kWritable : PageState::kReadOnly,
                    &device, address};
  const MutexLock lock(mutex_);
  bool any_writable = false;
  bool any_other = false;
  pieces_.ForEach(shown, [&](const ByteRange&, const Piece& there) {
    (there.state == PageState::kWritable ? any_writable : any_other) = true;
  });
  if (IsMappedTo(shown, piece) && !(for_stores && notes_stores() && any_other)) {
    // For loads at least; perhaps another thread had the same fault.
    return for_stores && !notes_stores() ? AllowStores(shown) : absl::OkStatus();
  }
  IOMAP_CHECK(!notes_stores() || !any_writable);  // what was noted of it would be lost
  IOMAP_RETURN_IF_ERROR(Put(shown, piece));
  return for_stores && !notes_stores() ? AllowStores(shown) : absl::OkStatus();
}

absl::Status HostPageTable::MapOwn(const ByteRange& pages, Device& device, uint64_t address) {
  const Piece own{notes_stores() ? PageState::kWritable : PageState::kReadOnly, &device, address};
  const MutexLock lock(mutex_);
  std::vector<ByteRange> parts;
  pieces_.ForEach(Shown(pages), [&](const ByteRange& part, const Piece& piece) {
    const bool shared_once = piece.state == PageState::kReadOnly && notes_stores() &&
                             IsMappedTo(part, own.From(part.offset - pages.offset));
    if (piece.state == PageState::kUnmapped || shared_once) {
      parts.push_back(part);
    }
  });
  for (const ByteRange& part : parts) {
    IOMAP_RETURN_IF_ERROR(Put(part, own.From(part.offset - pages.offset)));
  }
  return absl::OkStatus();
}

absl::Status HostPageTable::MapZeroes(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  return Put(Shown(pages), Piece{PageState::kZeroes});
}

void HostPageTable::Refuse(uint64_t offset) {
  const MutexLock lock(mutex_);
  if (pieces_.At(offset).state == PageState::kWritable) {
    return;  // somebody has mapped it meanwhile
  }
  const Piece refused{PageState::kRefused};
  if (!Put(ByteRange{offset, kPageBytes}, refused).ok()) {
    // A whole piece needs no other one.
    IOMAP_CHECK(Put(pieces_.Around(offset), refused).ok());
  }
}

absl::Status HostPageTable::UnmapRefused(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  std::vector<ByteRange> refused;
  pieces_.ForEach(Shown(pages), [&](const ByteRange& part, const Piece& piece) {
    if (piece.state == PageState::kRefused) {
      refused.push_back(part);
    }
  });
  for (const ByteRange& part : refused) {
    IOMAP_RETURN_IF_ERROR(Put(part, Piece{PageState::kUnmapped}));
  }
  return absl::OkStatus();
}

void HostPageTable::Unmap(const ByteRange& pages) {
  const absl::Status status = UnmapTakingWritten(pages, [](absl::Span<const WrittenPages>) {});
  IOMAP_CHECK(status.ok());
}

absl::Status HostPageTable::UnmapTakingWritten(const ByteRange& pages, Written written) {
  const ByteRange shown = Shown(pages);
  const MutexLock lock(mutex_);
  ByteRange mapped;  // from the first page to the last one that is
  std::vector<WrittenPages> writable;
  pieces_.ForEach(shown, [&](const ByteRange& part, const Piece& piece) {
    if (piece.state != PageState::kUnmapped) {
      mapped = ByteRange::Between(mapped.empty() ? part.offset : mapped.offset, part.end());
    }
    if (piece.state == PageState::kWritable && notes_stores()) {
      writable.push_back({part, piece.device, piece.address});
    }
  });
  const bool frozen = std::all_of(writable.begin(), writable.end(), [&](const auto& one) {
    return traps_->Freeze(MemoryOf(one.pages));
  });
  if (frozen && !writable.empty()) {
    IOMAP_RETURN_IF_ERROR(TakeWrittenLocked(mapped, written));
  }
  IOMAP_RETURN_IF_ERROR(Put(mapped, Piece{PageState::kUnmapped}));
  if (!frozen) {
    // What was stored until the last moment has not been noted: it may have been everywhere.
    written(writable);
  }
  return absl::OkStatus();
}

absl::Status HostPageTable::AllowStores(const ByteRange& pages) {
  if (!traps_->protection_makes_pieces()) {
    return traps_->AllowStores(MemoryOf(pages));
  }
  std::vector<std::pair<ByteRange, Piece>> parts;
  pieces_.ForEach(
      pages, [&](const ByteRange& part, const Piece& piece) { parts.emplace_back(part, piece); });
  // They become one, with perhaps another one on either side.
  IOMAP_RETURN_IF_ERROR(CheckCount(pages, most_pieces + parts.size() - 1));
  IOMAP_RETURN_IF_ERROR(traps_->AllowStores(MemoryOf(pages)));
  for (const auto& [part, piece] : parts) {
    SetPiece(part, {PageState::kWritable, piece.device, piece.address});
  }
  return absl::OkStatus();
}

void HostPageTable::WriteProtect(const ByteRange& pages) {
  if (notes_stores()) {
    return;
  }
  const PageState allowed =
      traps_->protection_makes_pieces() ? PageState::kWritable : PageState::kReadOnly;
  const MutexLock lock(mutex_);
  std::vector<ByteRange> parts;
  pieces_.ForEach(Shown(pages), [&](const ByteRange& part, const Piece& piece) {
    if (piece.state == allowed) {
      parts.push_back(part);
    }
  });
  for (ByteRange part : parts) {
    if (allowed == PageState::kWritable) {
      if (!CheckCount(part, most_pieces + kReserve).ok()) {
        part = pieces_.Around(part.offset);  // to trap more stores is never wrong
      }
      const Piece piece = pieces_.At(part.offset);
      SetPiece(part, {PageState::kReadOnly, piece.device, piece.address});
    }
    IOMAP_CHECK(traps_->TrapStores(MemoryOf(part)).ok());
  }
}

absl::Status HostPageTable::TakeWritten(const ByteRange& pages, Written written) {
  const MutexLock lock(mutex_);
  return TakeWrittenLocked(Shown(pages), written);
}

absl::Status HostPageTable::TakeWrittenLocked(const ByteRange& pages, Written written) {
  if (pages.empty()) {
    return absl::OkStatus();
  }
  written_.clear();
  absl::Status status = traps_->TakeWritten(MemoryOf(pages), [&](const MemoryRange& memory) {
    pieces_.ForEach(ByteRange{memory.begin - memory_.begin, memory.bytes},
                    [&](const ByteRange& part, const Piece& piece) {
                      if (piece.state == PageState::kWritable) {
                        written_.push_back({part, piece.device, piece.address});
                      }
                    });
  });
  written(written_);  // after an error, too: these are noted nowhere else
  return status;
}

std::optional<HostPageTable::Fault> HostPageTable::NextFault() {
  const std::optional<PageTraps::Fault> trapped = traps_->NextFault();
  if (!trapped.has_value()) {
    return std::nullopt;
  }
  return Fault{(trapped->address - memory_.begin) & ~(kPageBytes - 1),
               trapped->is_store ? Access::kWrite : Access::kRead, *trapped};
}

PageState HostPageTable::StateOf(uint64_t offset) {
  const MutexLock lock(mutex_);
  return pieces_.At(offset).state;
}

}  // namespace iomap::dax
