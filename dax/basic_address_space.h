#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/address_space.h"
#include "dax/file.h"
#include "dax/mistakes.h"
#include "dax/page_copy.h"
#include "iomap/check.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::dax {

// The address space, with a policy that says which of its mistakes it makes: none in the library.
// The order of each step is the kernel's fs/dax.c's.
template <typename Policy>
class BasicAddressSpace final : public AddressSpace {
 public:
  explicit BasicAddressSpace(const DeviceSet& devices) : AddressSpace(devices) {}

  absl::Status Fault(File& file, PageTable& table, uint64_t offset, Access access,
                     MapSync sync) override;
  absl::Status PopulateWrite(File& file, const InvalidateHeld& invalidate, const ByteRange& pages,
                             PageTable* table) override;
  absl::Status PopulateZeroes(File& file, const InvalidateHeld& invalidate, const ByteRange& pages,
                              PageTable& table) override;
  absl::Status WriteBack(const ByteRange& range) override;
  absl::Status Evict(const InvalidateHeld& invalidate, const ByteRange& pages,
                     EvictReason reason) override;
  std::optional<LockedEntry> LockEntry(const InvalidateHeld& invalidate, uint64_t offset,
                                       PageSize size) override;
  void ForEachLockedDirty(const ByteRange& range,
                          absl::FunctionRef<void(const LockedRun&)> flush) override;

 private:
  static constexpr bool Makes(Mistake mistake) { return Policy::Makes(mistake); }

  // The most entries that one run locks at a time.
  static constexpr size_t kMostSlotsInRun = kPagesPerHugePage;

  // The most runs that a walk holds at a time.
  static constexpr size_t kMostRunsAtATime = 64;

  // What a fault of one size came to.
  enum class FaultResult { kDone, kTrySmaller, kTryAgain };

  absl::StatusOr<FaultResult> FaultPage(File& file, const InvalidateHeld& invalidate,
                                        PageTable& table, uint64_t offset, PageSize size,
                                        Access access, MapSync sync);
  absl::StatusOr<FaultResult> FaultRead(File& file, PageTable& table, LockedEntry& entry,
                                        const ByteRange& pages, std::optional<Mapping> mapping);
  absl::StatusOr<FaultResult> FaultWrite(File& file, const InvalidateHeld& invalidate,
                                         PageTable& table, LockedEntry& entry,
                                         const ByteRange& pages, MapSync sync);
  absl::Status MapForStores(PageTable& table, LockedEntry& entry, const Entry& place,
                            const ByteRange& pages);
  // Ascending, so that who holds several waits for a later one alone.
  std::vector<LockedEntry> LockEntries(const InvalidateHeld& invalidate, const ByteRange& pages);
  absl::StatusOr<bool> PopulateEntries(File& file, const InvalidateHeld& invalidate,
                                       const ByteRange& pages, PageTable* table);
  absl::StatusOr<bool> PopulateEntry(File& file, const InvalidateHeld& invalidate,
                                     LockedEntry& entry, const PageTable* table);
  // Makes the slot the store's own: allocated, with its old bytes or zeros, durable. Nothing when
  // the extents do not allow an entry of its size.
  absl::StatusOr<std::optional<Entry>> PrepareForStore(File& file, const InvalidateHeld& invalidate,
                                                       const Slot& slot);
  // A huge entry whose extents no longer are one piece.
  absl::StatusOr<FaultResult> GiveUpHuge(LockedEntry entry);

  // One pass of a write-back, up to and with its drain.
  absl::Status FlushDirty(const ByteRange& range, const WriteBackTicket& ticket,
                          std::vector<ByteRange>& flushed);
  void FlushRun(const LockedRun& run);
  void WriteProtectRun(const ByteRange& pages);
  void LockRun(const Slot& first, Tag tag, uint64_t end_page, LockedRun& run)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FlushAndRelease(absl::Span<const LockedRun> runs,
                       absl::FunctionRef<void(const LockedRun&)> flush)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The walk of who notes the dirty entries first, and then flushes what it has noted.
  void WalkNoted(uint64_t begin_page, uint64_t end_page,
                 absl::FunctionRef<void(const LockedRun&)> flush);
};

}  // namespace iomap::dax

#include "dax/basic_address_space_faults.inc"
#include "dax/basic_address_space_write_back.inc"
