#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/page_table.h"
#include "dax/page_traps.h"
#include "dax/piece_map.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// A page table of this process: one range of addresses, pieces of which are mapped to where the
// file's bytes lie, so that loads and stores are the processor's own. How accesses to the others
// are caught, and stores noticed, is its PageTraps' part. Whoever reads the faults (NextFault)
// resolves them and lets the threads go.
//
// Not inherited by a child of fork(2): its accesses end in SIGSEGV.
//
// Mappings of a process are few (vm.max_map_count), so that pieces are counted over all tables:
// ResourceExhausted comes before the system refuses.
class HostPageTable final : public PageTable {
 public:
  // How many pieces the tables of the process may have altogether. Linux's default for all mappings
  // of a process is 65,530, and others want some.
  static constexpr size_t kMostPieces = 48'000;
  static void LimitPieces(size_t most);

  // Reserves addresses for `bytes` bytes of a file, from its beginning on. With `huge_pages`,
  // stores are tracked, and faults resolved, by 2 MiB where extents allow that.
  static absl::StatusOr<std::unique_ptr<HostPageTable>> Make(uint64_t bytes, Tracking tracking,
                                                             bool huge_pages);
  // No thread may touch the addresses any more.
  ~HostPageTable() override;

  std::byte* address() const { return static_cast<std::byte*>(PointerTo(memory_.begin)); }
  uint64_t size() const { return memory_.bytes; }

  // FailedPrecondition when the device cannot be mapped.
  absl::Status Map(const ByteRange& pages, Device& device, uint64_t address,
                   Access access) override;
  absl::Status MapZeroes(const ByteRange& pages) override;
  // Maps those of `pages` that are not mapped, where they are nobody else's: for stores where those
  // are noted, else for loads.
  absl::Status MapOwn(const ByteRange& pages, Device& device, uint64_t address);
  void Unmap(const ByteRange& pages) override;
  void WriteProtect(const ByteRange& pages) override;
  bool wants_huge_pages() const override { return huge_pages_; }
  bool maps_ahead() const override { return true; }
  bool notes_stores() const override { return traps_->notes_stores(); }
  absl::Status TakeWritten(const ByteRange& pages, Written written) override;
  absl::Status UnmapTakingWritten(const ByteRange& pages, Written written) override;

  // Whether each change of protection may cost the process a piece.
  bool protection_makes_pieces() const { return traps_->protection_makes_pieces(); }

  // From now on an access to the page at `offset` ends in SIGBUS, until it is unmapped; unless
  // somebody has mapped it for stores meanwhile. Where no more pieces can be had, the piece that it
  // is a part of is refused with it.
  void Refuse(uint64_t offset);

  // Those of `pages` may fault again.
  absl::Status UnmapRefused(const ByteRange& pages);

  PageState StateOf(uint64_t offset);

  // What to poll for faults, and the next one.
  std::vector<pollfd> descriptors() const { return traps_->descriptors(); }
  struct Fault {
    uint64_t offset;  // of the page
    Access access;
    PageTraps::Fault trapped;
  };
  std::optional<Fault> NextFault();
  void LetGo(const Fault& fault) { traps_->LetGo(fault.trapped); }

 private:
  HostPageTable(const MemoryRange& memory, std::unique_ptr<PageTraps> traps, bool huge_pages);

  ByteRange Shown(const ByteRange& pages) const {
    return pages.Intersect(ByteRange{0, memory_.bytes});
  }
  MemoryRange MemoryOf(const ByteRange& pages) const {
    return {memory_.begin + pages.offset, pages.length};
  }

  absl::Status Put(const ByteRange& pages, const Piece& piece)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckCount(const ByteRange& pages, size_t most) const;
  void SetPiece(const ByteRange& pages, const Piece& piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // For loads, or for stores too.
  bool IsMappedTo(const ByteRange& pages, const Piece& piece) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AllowStores(const ByteRange& pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TakeWrittenLocked(const ByteRange& pages, Written written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MemoryRange memory_;
  const std::unique_ptr<PageTraps> traps_;
  const bool huge_pages_;

  Mutex mutex_{LockRank::kPageTables};
  PieceMap pieces_ ABSL_GUARDED_BY(mutex_);
  std::vector<WrittenPages> written_ ABSL_GUARDED_BY(mutex_);  // here, to be allocated once
};

}  // namespace iomap::dax
