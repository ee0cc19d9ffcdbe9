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
#include "iomap/scheduler.h"
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
  LockedRun LockRun(const Slot& first, Tag tag, uint64_t end_page)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FlushAndRelease(const LockedRun& run, absl::FunctionRef<void(const LockedRun&)> flush)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The walk of who notes the dirty entries first, and then flushes what it has noted.
  void WalkNoted(uint64_t begin_page, uint64_t end_page,
                 absl::FunctionRef<void(const LockedRun&)> flush);
};

// ---- locking ----

template <typename Policy>
std::optional<LockedEntry> BasicAddressSpace<Policy>::LockEntry(
    const InvalidateHeld& /*invalidate*/, uint64_t offset, PageSize size) {
  const uint64_t page = offset / kPageBytes;
  const uint64_t huge_page = page & ~(kPagesPerHugePage - 1);
  const MutexLock lock(mutex_);
  while (true) {
    const std::optional<Slot> found = table_.Find(page);
    if (found.has_value() && table_.IsTagged(*found, Tag::kLocked)) {
      WaitFor(page);
      continue;
    }
    if (size == PageSize::kHuge) {
      const bool in_the_way =
          found.has_value() ? found->size == PageSize::kBase
                            : table_.Next(huge_page, huge_page + kPagesPerHugePage) != std::nullopt;
      if (in_the_way) {
        PassOn(page);
        return std::nullopt;
      }
    } else if (found.has_value() && found->size == PageSize::kHuge &&
               table_.Get(*found).kind != EntryKind::kPresent) {
      // Nothing but zeros, or nothing: base pages take its place.
      LockedEntry zeroes = Lock(*found);
      mutex_.Unlock();
      Unmap(found->bytes());
      mutex_.Lock();
      EraseHeld(zeroes, Wakes::kAll);
      continue;
    }
    if (found.has_value()) {
      return Lock(*found);
    }
    const Slot slot = size == PageSize::kHuge ? Slot{huge_page, size} : Slot{page, size};
    table_.Set(slot, Entry{});
    return Lock(slot);
  }
}

template <typename Policy>
LockedRun BasicAddressSpace<Policy>::LockRun(const Slot& first, Tag tag, uint64_t end_page) {
  LockedRun run;
  uint64_t next_page = first.page;
  while (run.slots.size() < kMostSlotsInRun && next_page < end_page) {
    const std::optional<Slot> slot = table_.NextTagged(tag, next_page, next_page + 1);
    if (!slot.has_value() || table_.IsTagged(*slot, Tag::kLocked)) {
      break;
    }
    const Entry entry = table_.Get(*slot);
    if (run.slots.empty()) {
      run.pages = ByteRange{slot->bytes().offset, 0};
      run.device = entry.device;
      run.address = entry.address;
    } else if (entry.device != run.device || entry.address != run.address + run.pages.length) {
      break;
    }
    internal::NoteLocked(LockRank::kEntry);
    table_.SetTag(*slot, Tag::kLocked);
    table_.ClearTag(*slot, Tag::kToWrite);
    if (Makes(Mistake::kDirtyClearedEarly)) {
      table_.ClearTag(*slot, Tag::kDirty);
    }
    run.pages.length += slot->bytes().length;
    run.slots.push_back(*slot);
    next_page = slot->end_page();
  }
  return run;
}

template <typename Policy>
void BasicAddressSpace<Policy>::FlushAndRelease(const LockedRun& run,
                                                absl::FunctionRef<void(const LockedRun&)> flush) {
  mutex_.Unlock();
  flush(run);
  mutex_.Lock();
  flushed_entries_ += run.slots.size();
  for (const Slot& locked : run.slots) {
    if (Makes(Mistake::kEntryRemovedOnWriteBack)) {
      Erase(locked, Wakes::kAll);
      continue;
    }
    table_.ClearTag(locked, Tag::kDirty);
    Release(locked);
  }
}

template <typename Policy>
void BasicAddressSpace<Policy>::ForEachLockedDirty(
    const ByteRange& range, absl::FunctionRef<void(const LockedRun&)> flush) {
  const ByteRange pages = range.AlignOutward(kPageBytes);
  const uint64_t begin_page = pages.offset / kPageBytes;
  const uint64_t end_page = (pages.end() + kPageBytes - 1) / kPageBytes;
  if (Makes(Mistake::kStaleAddress)) {
    return WalkNoted(begin_page, end_page, flush);
  }
  const Tag tag = Makes(Mistake::kDirtyInsteadOfToWrite) ? Tag::kDirty : Tag::kToWrite;
  std::optional<uint64_t> waited_for;
  const MutexLock lock(mutex_);
  if (tag == Tag::kToWrite) {
    table_.TagDirtyToWrite(begin_page, end_page);
  }
  uint64_t next_page = begin_page;
  while (next_page < end_page) {
    const std::optional<Slot> slot = table_.NextTagged(tag, next_page, end_page);
    if (waited_for.has_value() && !(slot.has_value() && slot->page <= *waited_for)) {
      PassOn(*waited_for);  // somebody else has flushed it, or it is gone
    }
    waited_for.reset();
    if (!slot.has_value()) {
      break;
    }
    if (table_.IsTagged(*slot, Tag::kLocked)) {
      waited_for = slot->page;
      WaitFor(slot->page);
      continue;  // it may be another one by now, or none
    }
    const LockedRun run = LockRun(*slot, tag, end_page);
    FlushAndRelease(run, flush);
    next_page = tag == Tag::kDirty ? begin_page : run.pages.end() / kPageBytes;
  }
}

template <typename Policy>
void BasicAddressSpace<Policy>::WalkNoted(uint64_t begin_page, uint64_t end_page,
                                          absl::FunctionRef<void(const LockedRun&)> flush) {
  std::vector<std::pair<Slot, Entry>> noted;
  {
    const MutexLock lock(mutex_);
    for (std::optional<Slot> slot = table_.NextTagged(Tag::kDirty, begin_page, end_page);
         slot.has_value(); slot = table_.NextTagged(Tag::kDirty, slot->end_page(), end_page)) {
      noted.emplace_back(*slot, table_.Get(*slot));
    }
  }
  const MutexLock lock(mutex_);
  for (const auto& [slot, entry] : noted) {
    while (table_.Find(slot.page) == slot && table_.IsTagged(slot, Tag::kLocked)) {
      WaitFor(slot.page);
    }
    if (table_.Find(slot.page) == slot) {
      internal::NoteLocked(LockRank::kEntry);
      table_.SetTag(slot, Tag::kLocked);
      FlushAndRelease({slot.bytes(), entry.device, entry.address, {slot}}, flush);
    }
  }
}

// ---- write-back ----

template <typename Policy>
absl::Status BasicAddressSpace<Policy>::WriteBack(const ByteRange& range) {
  while (true) {
    const std::optional<WriteBackTicket> ticket = BeginWriteBack();
    if (!ticket.has_value()) {
      return absl::OkStatus();
    }
    if (Makes(Mistake::kDirtyClearedEarly)) {
      EndWriteBack(*ticket, absl::OkStatus(), {});  // clean is durable, to whoever comes now
    }
    std::vector<ByteRange> flushed;
    absl::Status status = FlushDirty(range, *ticket, flushed);
    if (Makes(Mistake::kErrorSwallowed)) {
      status = absl::OkStatus();
    }
    // A page that was found clean may be one that another write-back has flushed and not drained;
    // where that one fails, the page is dirty again.
    const bool others_succeeded = EndWriteBack(*ticket, status, flushed);
    if (!status.ok() || others_succeeded) {
      return status;
    }
  }
}

template <typename Policy>
absl::Status BasicAddressSpace<Policy>::FlushDirty(const ByteRange& range,
                                                   const WriteBackTicket& ticket,
                                                   std::vector<ByteRange>& flushed) {
  std::vector<uint8_t> devices;
  ForEachLockedDirty(range, [&](const LockedRun& run) {
    FlushRun(run);
    flushed.push_back(run.pages);
    if (std::find(devices.begin(), devices.end(), run.device) == devices.end()) {
      devices.push_back(run.device);
    }
  });
  if (Makes(Mistake::kFollowerSkipsDrain) && OthersAreUnderWay(ticket)) {
    return absl::OkStatus();
  }
  absl::Status status;
  for (const uint8_t device : devices) {
    status.Update(DeviceOf(device).Drain());
  }
  return status;
}

// Write-protect, flush; DIRTY is cleared after that. After the flush no store can have gone to the
// pages, since a fault waits for the entry's lock; and a second write-back that comes while this
// one is flushing finds DIRTY, and waits for the lock too.
template <typename Policy>
void BasicAddressSpace<Policy>::FlushRun(const LockedRun& run) {
  const ByteRange place{run.address, run.pages.length};
  if (Makes(Mistake::kFlushBeforeMkclean)) {
    DeviceOf(run.device).Flush(place);
    WriteProtectRun(run.pages);
    return;
  }
  WriteProtectRun(run.pages);
  DeviceOf(run.device).Flush(place);
}

template <typename Policy>
void BasicAddressSpace<Policy>::WriteProtectRun(const ByteRange& pages) {
  if (Makes(Mistake::kHugeEntryNotCleaned) && pages.length >= kHugePageBytes) {
    return;
  }
  bool first = true;
  ForEachTable([&](PageTable& table) {
    if (first || !Makes(Mistake::kAliasNotCleaned)) {
      table.WriteProtect(pages);
    }
    first = false;
  });
}

// ---- eviction ----

template <typename Policy>
absl::Status BasicAddressSpace<Policy>::Evict(const InvalidateHeld& /*invalidate*/,
                                              const ByteRange& pages, EvictReason reason) {
  const uint64_t end_page = (pages.end() + kPageBytes - 1) / kPageBytes;
  uint64_t next_page = pages.offset / kPageBytes;
  const MutexLock lock(mutex_);
  while (next_page < end_page) {
    const std::optional<Slot> slot = table_.Next(next_page, end_page);
    if (!slot.has_value()) {
      return absl::OkStatus();
    }
    if (table_.IsTagged(*slot, Tag::kLocked)) {
      WaitFor(slot->page);
      if (table_.Find(slot->page) != slot) {
        PassOn(slot->page);  // it is another one now
      }
      continue;
    }
    next_page = slot->end_page();
    const bool dirty = table_.IsTagged(*slot, Tag::kDirty);
    const bool pinned = AnyPinned(slot->bytes());
    IOMAP_CHECK(!pinned || reason == EvictReason::kClean);  // changes of extents wait for pins
    if (reason == EvictReason::kClean &&
        (pinned || (dirty && !Makes(Mistake::kEntryDroppedWhileDirty)))) {
      PassOn(slot->page);  // perhaps it was waited for
      continue;
    }
    LockedEntry entry = Lock(*slot);
    mutex_.Unlock();
    absl::Status status;
    Unmap(slot->bytes());
    if (dirty && !pages.Contains(slot->bytes()) && entry.entry().kind == EntryKind::kPresent) {
      const Entry& place = entry.entry();
      status = DeviceOf(place.device).Persist(ByteRange{place.address, slot->bytes().length});
    }
    mutex_.Lock();
    if (!status.ok()) {
      ReleaseHeld(entry);
      return status;
    }
    EraseHeld(entry, Makes(Mistake::kWakeOneOnErase) ? Wakes::kOne : Wakes::kAll);
  }
  return absl::OkStatus();
}

// ---- faults ----

template <typename Policy>
absl::Status BasicAddressSpace<Policy>::Fault(File& file, PageTable& table, uint64_t offset,
                                              Access access, MapSync sync) {
  const FreezeGate::Passage passage(access == Access::kWrite ? file.freeze_gate() : nullptr,
                                    FreezeGate::Level::kFault);
  const InvalidateShared invalidate = file.locks().LockInvalidateShared();
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file.attributes());
  if (offset - offset % kPageBytes >= attributes.size) {
    return absl::OutOfRangeError(absl::StrCat("inode ", file.inode(), ", offset ", offset,
                                              ": past the end of file, ", attributes.size));
  }
  const uint64_t huge_offset = offset - offset % kHugePageBytes;
  const bool fits =
      huge_offset + kHugePageBytes <= ByteRange{0, attributes.size}.AlignOutward(kPageBytes).end();
  PageSize size = table.wants_huge_pages() && fits ? PageSize::kHuge : PageSize::kBase;
  while (true) {
    IOMAP_ASSIGN_OR_RETURN(const FaultResult result,
                           FaultPage(file, invalidate, table, offset, size, access, sync));
    if (result == FaultResult::kDone) {
      return absl::OkStatus();
    }
    if (result == FaultResult::kTrySmaller) {
      size = PageSize::kBase;
    }
  }
}

template <typename Policy>
absl::StatusOr<typename BasicAddressSpace<Policy>::FaultResult>
BasicAddressSpace<Policy>::FaultPage(File& file, const InvalidateHeld& invalidate, PageTable& table,
                                     uint64_t offset, PageSize size, Access access, MapSync sync) {
  const uint64_t page_offset = offset - offset % PageSizeBytes(size);
  std::optional<Mapping> looked_up_early;
  if (Makes(Mistake::kMappingBeforeEntryLock) && access == Access::kRead) {
    IOMAP_ASSIGN_OR_RETURN(
        looked_up_early,
        FirstMapping(file, &iomap::File::MapForRead, ByteRange{page_offset, PageSizeBytes(size)}));
  }
  std::optional<LockedEntry> entry = LockEntry(invalidate, page_offset, size);
  if (!entry.has_value()) {
    return FaultResult::kTrySmaller;
  }
  // What this table gets: the whole slot, or the one page of a huge slot that it can show.
  const ByteRange pages = table.wants_huge_pages() || entry->slot().size == PageSize::kBase
                              ? entry->slot().bytes()
                              : ByteRange{page_offset, kPageBytes};
  absl::StatusOr<FaultResult> result =
      access == Access::kRead ? FaultRead(file, table, *entry, pages, looked_up_early)
                              : FaultWrite(file, invalidate, table, *entry, pages, sync);
  if (!result.ok() && entry->held() && entry->entry().kind == EntryKind::kEmpty) {
    std::move(*entry).Erase();  // it was made for this fault
  }
  return result;
}

template <typename Policy>
absl::StatusOr<typename BasicAddressSpace<Policy>::FaultResult>
BasicAddressSpace<Policy>::FaultRead(File& file, PageTable& table, LockedEntry& entry,
                                     const ByteRange& pages, std::optional<Mapping> mapping) {
  const Slot slot = entry.slot();
  if (!mapping.has_value()) {
    IOMAP_ASSIGN_OR_RETURN(mapping, FirstMapping(file, &iomap::File::MapForRead, slot.bytes()));
  }
  const bool whole = mapping->range().Contains(slot.bytes());
  const bool zeroes = mapping->reads_as_zeros();
  const bool aligned =
      zeroes || (mapping->type == MappingType::kMapped &&
                 mapping->AddressOf(slot.bytes().offset) % PageSizeBytes(slot.size) == 0);
  if (!whole || !aligned) {
    if (slot.size == PageSize::kHuge) {
      return GiveUpHuge(std::move(entry));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("inode ", file.inode(), ": ", DebugString(*mapping),
                     " cannot be mapped in pages of ", kPageBytes, " bytes"));
  }
  if (zeroes) {
    entry.Set(Entry{EntryKind::kZeroPage});
    IOMAP_RETURN_IF_ERROR(table.MapZeroes(pages));
    return FaultResult::kDone;
  }
  const Entry place{EntryKind::kPresent, mapping->device, mapping->AddressOf(slot.bytes().offset)};
  entry.Set(place);
  IOMAP_RETURN_IF_ERROR(table.Map(pages, DeviceOf(place.device),
                                  place.address + (pages.offset - slot.bytes().offset),
                                  Access::kRead));
  return FaultResult::kDone;
}

template <typename Policy>
absl::StatusOr<typename BasicAddressSpace<Policy>::FaultResult>
BasicAddressSpace<Policy>::FaultWrite(File& file, const InvalidateHeld& invalidate,
                                      PageTable& table, LockedEntry& entry, const ByteRange& pages,
                                      MapSync sync) {
  const Slot slot = entry.slot();
  IOMAP_ASSIGN_OR_RETURN(const std::optional<Entry> place, PrepareForStore(file, invalidate, slot));
  if (!place.has_value()) {
    return GiveUpHuge(std::move(entry));
  }
  if (entry.entry().kind != EntryKind::kEmpty && entry.entry() != *place) {
    Unmap(slot.bytes());  // the zero page, or the shared bytes, that others still see
  }
  if (sync == MapSync::kNo) {
    IOMAP_RETURN_IF_ERROR(MapForStores(table, entry, *place, pages));
    return FaultResult::kDone;
  }
  entry.Set(*place);
  // The page must be found after a crash before anybody can store to it; and a sync takes the locks
  // of entries.
  { const LockedEntry released = std::move(entry); }
  IOMAP_RETURN_IF_ERROR(file.FsyncLocked(invalidate, slot.bytes(), SyncKind::kData));
  std::optional<LockedEntry> again = LockEntry(invalidate, slot.bytes().offset, slot.size);
  if (!again.has_value() || again->slot() != slot || again->entry() != *place) {
    return FaultResult::kTryAgain;
  }
  IOMAP_RETURN_IF_ERROR(MapForStores(table, *again, *place, pages));
  return FaultResult::kDone;
}

template <typename Policy>
absl::Status BasicAddressSpace<Policy>::MapForStores(PageTable& table, LockedEntry& entry,
                                                     const Entry& place, const ByteRange& pages) {
  entry.SetDirty(place);  // before the first store can come
  return table.Map(pages, DeviceOf(place.device),
                   place.address + (pages.offset - entry.slot().bytes().offset), Access::kWrite);
}

template <typename Policy>
absl::StatusOr<std::optional<Entry>> BasicAddressSpace<Policy>::PrepareForStore(
    File& file, const InvalidateHeld& invalidate, const Slot& slot) {
  const ByteRange bytes = slot.bytes();
  std::optional<Entry> place;
  bool too_small = false;
  const absl::Status status = ForEachWriteMapping(
      bytes, [&](const ByteRange& rest) { return file.MapForFault(invalidate, rest); },
      [&](const WriteMapping& mapping, const ByteRange& part) -> absl::Status {
        too_small =
            part != bytes || mapping.target.AddressOf(bytes.offset) % PageSizeBytes(slot.size) != 0;
        if (too_small) {
          return absl::CancelledError();
        }
        place = Entry{EntryKind::kPresent, mapping.target.device,
                      mapping.target.AddressOf(bytes.offset)};
        return FillPages(file, mapping, bytes);
      });
  if (too_small && slot.size == PageSize::kHuge) {
    return std::optional<Entry>();
  }
  if (too_small) {
    return absl::FailedPreconditionError(
        absl::StrCat("inode ", file.inode(), ", offset ", bytes.offset,
                     ": its blocks cannot be mapped in pages of ", kPageBytes, " bytes"));
  }
  IOMAP_RETURN_IF_ERROR(status);
  return place;
}

template <typename Policy>
absl::StatusOr<typename BasicAddressSpace<Policy>::FaultResult>
BasicAddressSpace<Policy>::GiveUpHuge(LockedEntry entry) {
  const Slot slot = entry.slot();
  Unmap(slot.bytes());
  if (entry.IsDirty()) {
    IOMAP_RETURN_IF_ERROR(DeviceOf(entry.entry().device)
                              .Persist(ByteRange{entry.entry().address, slot.bytes().length}));
  }
  std::move(entry).Erase();
  return FaultResult::kTrySmaller;
}

}  // namespace iomap::dax
