#include "dax/address_space.h"

#include <algorithm>

#include "dax/basic_address_space.h"
#include "dax/mistakes.h"
#include "iomap/check.h"

namespace iomap::dax {
namespace {

bool Covers(const Slot& slot, uint64_t page) { return page >= slot.page && page < slot.end_page(); }

uint64_t FirstPage(const ByteRange& pages) { return pages.offset / kPageBytes; }

uint64_t EndPage(const ByteRange& pages) { return (pages.end() + kPageBytes - 1) / kPageBytes; }

}  // namespace

PageTable::~PageTable() = default;

LockedEntry::~LockedEntry() {
  if (space_ != nullptr) {
    const MutexLock lock(space_->mutex_);
    space_->Release(slot_);
  }
}

void LockedEntry::Set(const Entry& entry) {
  const MutexLock lock(space_->mutex_);
  space_->table_.Set(slot_, entry);
  entry_ = entry;
}

void LockedEntry::SetDirty(const Entry& entry) {
  const MutexLock lock(space_->mutex_);
  space_->table_.Set(slot_, entry);
  space_->table_.SetTag(slot_, Tag::kDirty);
  entry_ = entry;
}

bool LockedEntry::IsDirty() const {
  const MutexLock lock(space_->mutex_);
  return space_->table_.IsTagged(slot_, Tag::kDirty);
}

void LockedEntry::Erase() && {
  const MutexLock lock(space_->mutex_);
  std::exchange(space_, nullptr)->Erase(slot_, AddressSpace::Wakes::kAll);
}

AddressSpace::~AddressSpace() = default;

void AddressSpace::WaitFor(uint64_t page) {
  Waiter waiter{.page = page};
  waiters_.push_back(&waiter);
  while (!waiter.woken) {
    waiter.released.Wait(mutex_);
  }
}

void AddressSpace::Wake(const Slot& slot, Wakes wakes) {
  for (auto i = waiters_.begin(); i != waiters_.end();) {
    if (!Covers(slot, (*i)->page)) {
      ++i;
      continue;
    }
    Waiter& waiter = **i;
    i = waiters_.erase(i);
    waiter.woken = true;
    waiter.released.NotifyOne();
    if (wakes == Wakes::kOne) {
      return;
    }
  }
}

void AddressSpace::PassOn(uint64_t page) {
  const std::optional<Slot> slot = table_.Find(page);
  if (slot.has_value() && !table_.IsTagged(*slot, Tag::kLocked)) {
    Wake(*slot, Wakes::kOne);
  }
}

void AddressSpace::PassOnUnless(const std::optional<Slot>& slot, uint64_t& waited_for) {
  if (waited_for != kNoPage && !(slot.has_value() && Covers(*slot, waited_for))) {
    PassOn(waited_for);
  }
  waited_for = kNoPage;
}

LockedEntry AddressSpace::Lock(const Slot& slot) {
  internal::NoteLocked(LockRank::kEntry);
  table_.SetTag(slot, Tag::kLocked);
  return LockedEntry(this, slot, table_.Get(slot));
}

void AddressSpace::Release(const Slot& slot) {
  internal::NoteUnlocked(LockRank::kEntry);
  table_.ClearTag(slot, Tag::kLocked);
  table_.ClearTag(slot, Tag::kStored);
  Wake(slot, Wakes::kOne);
}

void AddressSpace::Erase(const Slot& slot, Wakes wakes) {
  internal::NoteUnlocked(LockRank::kEntry);
  table_.Erase(slot);
  Wake(slot, wakes);
}

void AddressSpace::ReleaseHeld(LockedEntry& entry) {
  entry.space_ = nullptr;
  Release(entry.slot());
}

void AddressSpace::EraseHeld(LockedEntry& entry, Wakes wakes) {
  entry.space_ = nullptr;
  Erase(entry.slot(), wakes);
}

bool AddressSpace::MayBeDirty() {
  const MutexLock lock(mutex_);
  return AnyTableNotesStores() || table_.AnyTagged(Tag::kDirty) || !under_way_.empty();
}

void AddressSpace::Attach(PageTable* table) {
  const WriterLock lock(tables_mutex_);
  page_tables_.push_back(table);
  ++(table->notes_stores() ? noting_tables_ : trapping_tables_);
  tables_ahead_ += table->maps_ahead() ? 1 : 0;
}

void AddressSpace::Detach(PageTable* table) {
  const WriterLock lock(tables_mutex_);
  page_tables_.erase(std::remove(page_tables_.begin(), page_tables_.end(), table),
                     page_tables_.end());
  --(table->notes_stores() ? noting_tables_ : trapping_tables_);
  tables_ahead_ -= table->maps_ahead() ? 1 : 0;
}

void AddressSpace::ForEachTable(absl::FunctionRef<void(PageTable&)> body) {
  const ReaderLock lock(tables_mutex_);
  for (PageTable* table : page_tables_) {
    body(*table);
  }
}

absl::Status AddressSpace::Unmap(const ByteRange& pages) {
  absl::Status status;
  ForEachTable([&](PageTable& table) {
    status.Update(table.UnmapTakingWritten(
        pages, [&](absl::Span<const PageTable::WrittenPages> written) { NoteWritten(written); }));
  });
  return status;
}

absl::Status AddressSpace::TakeWritten(const ByteRange& pages) {
  absl::Status status;
  ForEachTable([&](PageTable& table) {
    status.Update(table.TakeWritten(
        pages, [&](absl::Span<const PageTable::WrittenPages> written) { NoteWritten(written); }));
  });
  return status;
}

void AddressSpace::NoteWritten(absl::Span<const PageTable::WrittenPages> written) {
  const MutexLock lock(mutex_);
  for (const PageTable::WrittenPages& run : written) {
    const auto found =
        std::find_if(devices_.begin(), devices_.end(),
                     [&](const std::unique_ptr<Device>& one) { return one.get() == run.device; });
    IOMAP_CHECK(found != devices_.end());
    const auto number = static_cast<uint8_t>(found - devices_.begin());
    uint64_t page = FirstPage(run.pages);
    while (page < EndPage(run.pages)) {
      std::optional<Slot> slot = table_.Find(page);
      if (!slot.has_value()) {
        slot = Slot{page, PageSize::kBase};
      }
      if (slot->size == PageSize::kBase && !table_.IsPresent(*slot)) {
        // Who has locked an empty one finds the same place.
        table_.Set(*slot, Entry{EntryKind::kPresent, number,
                                run.address + (page * kPageBytes - run.pages.offset)});
      }
      TagStored(*slot);
      page = slot->end_page();
    }
  }
}

void AddressSpace::ForEachUndisputed(const ByteRange& pages,
                                     absl::FunctionRef<void(const ByteRange&)> part) {
  uint64_t begin = FirstPage(pages);
  const uint64_t end = EndPage(pages);
  while (begin < end) {
    std::optional<Slot> disputed;
    {
      const MutexLock lock(mutex_);
      disputed = table_.NextNotPresent(begin, end);
    }
    const uint64_t until = disputed.has_value() ? std::max(begin, disputed->page) : end;
    if (until > begin) {
      part(ByteRange::Between(begin * kPageBytes, until * kPageBytes));
    }
    begin = disputed.has_value() ? disputed->end_page() : end;
  }
}

std::optional<AddressSpace::WriteBackTicket> AddressSpace::BeginWriteBack() {
  const MutexLock lock(mutex_);
  if (!table_.AnyTagged(Tag::kDirty) && under_way_.empty()) {
    return std::nullopt;
  }
  const WriteBackTicket ticket{++next_ticket_, ErrorCursor()};
  under_way_.insert(ticket.number);
  return ticket;
}

bool AddressSpace::EndWriteBack(const WriteBackTicket& ticket, const absl::Status& status,
                                absl::Span<const ByteRange> flushed) {
  const MutexLock lock(mutex_);
  under_way_.erase(ticket.number);
  if (!status.ok()) {
    for (const ByteRange& pages : flushed) {
      TagDirtyAgain(pages);
    }
    last_error_ = status;
    error_count_.fetch_add(1, std::memory_order_relaxed);
  }
  write_back_ended_.NotifyAll();
  const uint64_t last = next_ticket_;
  while (!under_way_.empty() && *under_way_.begin() <= last) {
    write_back_ended_.Wait(mutex_);
  }
  return ErrorCursor() == ticket.errors_before + (status.ok() ? 0 : 1);
}

bool AddressSpace::OthersAreUnderWay(const WriteBackTicket& ticket) {
  const MutexLock lock(mutex_);
  return under_way_.size() > (under_way_.contains(ticket.number) ? 1 : 0);
}

void AddressSpace::TagDirtyAgain(const ByteRange& pages) {
  for (uint64_t page = FirstPage(pages); page < EndPage(pages);) {
    const std::optional<Slot> slot = table_.Next(page, EndPage(pages));
    if (!slot.has_value()) {
      return;
    }
    // A page that has gone meanwhile may be a hole by now: there is nothing of it to flush.
    if (table_.Get(*slot).kind == EntryKind::kPresent) {
      table_.SetTag(*slot, Tag::kDirty);
    }
    page = slot->end_page();
  }
}

void AddressSpace::TagStored(const Slot& slot) {
  table_.SetTag(slot, Tag::kDirty);
  if (table_.IsTagged(slot, Tag::kLocked)) {
    table_.SetTag(slot, Tag::kStored);
  }
}

uint64_t AddressSpace::ErrorCursor() { return error_count_.load(std::memory_order_relaxed); }

absl::Status AddressSpace::CheckErrors(uint64_t& cursor) {
  if (cursor == error_count_.load(std::memory_order_relaxed)) {
    return absl::OkStatus();
  }
  const MutexLock lock(mutex_);
  cursor = error_count_.load(std::memory_order_relaxed);
  return last_error_;
}

void AddressSpace::Pin(const LockedEntry& entry) {
  const MutexLock lock(mutex_);
  ++pins_[entry.slot().page];
}

void AddressSpace::Unpin(const Slot& slot) {
  const MutexLock lock(mutex_);
  // Nothing takes an entry out while its page is pinned.
  IOMAP_CHECK(table_.Find(slot.page) == slot);
  TagStored(slot);
  const auto pin = pins_.find(slot.page);
  IOMAP_CHECK(pin != pins_.end());
  if (--pin->second == 0) {
    pins_.erase(pin);
    unpinned_.NotifyAll();
  }
}

bool AddressSpace::AnyPinned(const ByteRange& pages) const {
  for (auto pin = pins_.lower_bound(FirstPage(pages) & ~(kPagesPerHugePage - 1));
       pin != pins_.end() && pin->first < EndPage(pages); ++pin) {
    const std::optional<Slot> slot = table_.Find(pin->first);
    if (slot.has_value() && slot->end_page() > FirstPage(pages)) {
      return true;
    }
  }
  return false;
}

bool AddressSpace::IsPinned(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  return AnyPinned(pages);
}

void AddressSpace::WaitForPins(const ByteRange& pages) {
  const MutexLock lock(mutex_);
  while (AnyPinned(pages)) {
    unpinned_.Wait(mutex_);
  }
}

uint64_t AddressSpace::flushed_entries() {
  const MutexLock lock(mutex_);
  return flushed_entries_;
}

std::unique_ptr<AddressSpace> MakeAddressSpace(const DeviceSet& devices) {
  return std::make_unique<BasicAddressSpace<NoMistakes>>(devices);
}

}  // namespace iomap::dax
