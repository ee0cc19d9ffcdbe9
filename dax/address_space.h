#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/device.h"
#include "dax/entry.h"
#include "dax/entry_table.h"
#include "dax/page_table.h"
#include "iomap/file_locks.h"
#include "iomap/mutex.h"

namespace iomap::dax {

class AddressSpace;
class File;

// Why entries leave an address space.
enum class EvictReason : uint8_t {
  kFreed,  // the pages leave the file: what was stored to them goes with them
  kClean,  // the pages stay, or move: nothing that is not durable may be lost with the entry
};

// Whether a write fault must make durable what is needed to find the page (MAP_SYNC).
enum class MapSync : bool { kNo, kYes };

// An entry whose lock the holder has; lets go at its end. Only its holder changes an entry, and
// what page tables say of its pages.
class LockedEntry {
 public:
  LockedEntry(LockedEntry&& other) noexcept
      : space_(std::exchange(other.space_, nullptr)), slot_(other.slot_), entry_(other.entry_) {}
  LockedEntry(const LockedEntry&) = delete;
  LockedEntry& operator=(const LockedEntry&) = delete;
  ~LockedEntry();

  // False once it has been moved from.
  bool held() const { return space_ != nullptr; }
  const Slot& slot() const { return slot_; }
  const Entry& entry() const { return entry_; }

  void Set(const Entry& entry);
  // The same, and the entry is DIRTY: to be called before a table maps its pages for stores.
  void SetDirty(const Entry& entry);
  bool IsDirty() const;
  // Nothing has come of an entry that was made to be locked.
  bool IsUnused() const { return entry_.kind == EntryKind::kEmpty && !IsDirty(); }
  // Takes the entry out, and lets go: whoever waits for it is woken.
  void Erase() &&;

 private:
  friend class AddressSpace;
  LockedEntry(AddressSpace* space, const Slot& slot, const Entry& entry)
      : space_(space), slot_(slot), entry_(entry) {}

  AddressSpace* space_;  // null: moved from
  Slot slot_;
  Entry entry_;
};

// A run of locked dirty entries whose pages are contiguous in the file and on one device.
struct LockedRun {
  ByteRange pages = {};
  uint8_t device = 0;
  uint64_t address = 0;
  std::vector<Slot> slots = {};
};

// The pages of one file that somebody has mapped: where their bytes lie, which of them may hold
// stores that are not durable, and the page tables through which they are reached. Faults bring
// entries in; they leave through Evict alone.
//
// An invariant carries everything: a page that a table maps for stores is DIRTY, and both change
// under its entry's lock. A write-back write-protects, flushes, and only then clears DIRTY.
//
// Safe for concurrent use. Locks: an entry's (LockRank::kEntry) and leaves.
class AddressSpace {
 public:
  virtual ~AddressSpace();
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // A page that cannot be reached as `access` wants it is made reachable in `table`: asks the file
  // where it lies, allocates, zeroes or copies it where a store needs that. With the file's
  // invalidate lock shared, which it takes. OutOfRange past the page of the end of file (SIGBUS);
  // what the file says otherwise.
  virtual absl::Status Fault(File& file, PageTable& table, uint64_t offset, Access access,
                             MapSync sync) = 0;

  // Gives `pages`, whole pages before the end of file, blocks of their own, as stores to them would
  // (MADV_POPULATE_WRITE), and with a table makes them reachable for stores. With the file's
  // invalidate lock, which the caller holds. On an error some of them have blocks.
  virtual absl::Status PopulateWrite(File& file, const InvalidateHeld& invalidate,
                                     const ByteRange& pages, PageTable* table) = 0;

  // Makes those of `pages`, at most 2 MiB, that read as zeros reachable in `table` for loads, from
  // the first on and up to one that does not. With the lock, as above.
  virtual absl::Status PopulateZeroes(File& file, const InvalidateHeld& invalidate,
                                      const ByteRange& pages, PageTable& table) = 0;

  // Makes durable what was stored to the pages of `range` before the call: write-protects them,
  // flushes their lines, drains once. Needs no lock of the file, since an entry keeps the place of
  // its page, and leaves before the place is given away. An error of the device is returned, kept
  // for CheckErrors, and leaves the pages dirty.
  virtual absl::Status WriteBack(const ByteRange& range) = 0;

  // Takes the entries of `pages` out and unmaps their pages from every table. A huge entry that
  // only begins or ends in the range goes whole; what is dirty outside the range is flushed first.
  // With kClean an entry that is dirty or pinned stays.
  virtual absl::Status Evict(const InvalidateHeld& invalidate, const ByteRange& pages,
                             EvictReason reason) = 0;

  // The lock of the entry that covers the page at `offset`, made empty where there is none. A base
  // page inside a huge entry that is present gets the huge one. Nothing when a huge one is wanted
  // and base pages are in its way.
  virtual std::optional<LockedEntry> LockEntry(const InvalidateHeld& invalidate, uint64_t offset,
                                               PageSize size) = 0;

  // Calls `flush` for the entries of `range` that are DIRTY when the walk begins, each once,
  // locked, in runs; what becomes dirty meanwhile is the next walk's. `flush` write-protects and
  // flushes; then, before the entries are let go, they are DIRTY no more. The only way to walk
  // dirty entries.
  virtual void ForEachLockedDirty(const ByteRange& range,
                                  absl::FunctionRef<void(const LockedRun&)> flush) = 0;

  // False when nothing is dirty, no table notes stores, and no write-back is under way.
  bool MayBeDirty();

  // A table whose pages this file's faults fill. Detaching needs no more than that no store goes
  // through the table any more.
  void Attach(PageTable* table);
  void Detach(PageTable* table);
  bool AnyTableNotesStores() const { return noting_tables_.load(std::memory_order_acquire) > 0; }
  bool AnyTableTrapsStores() const { return trapping_tables_.load(std::memory_order_acquire) > 0; }
  bool AnyTableMapsAhead() const { return tables_ahead_.load(std::memory_order_acquire) > 0; }
  // From every table; where stores had been noted, the page is dirty.
  absl::Status Unmap(const ByteRange& pages);

  // Calls `part` for the parts of `pages` where no entry says anything but that the page is where
  // the file says it is: there may be none. Elsewhere somebody is at work, or shows zeros.
  void ForEachUndisputed(const ByteRange& pages, absl::FunctionRef<void(const ByteRange&)> part);

  // The error of a write-back that the holder of `cursor` has not been told of; each holder is told
  // once. A new cursor begins with ErrorCursor().
  uint64_t ErrorCursor();
  absl::Status CheckErrors(uint64_t& cursor);

  // Pages that somebody reaches without a page table (DMA, another process): what frees them waits.
  void Pin(const LockedEntry& entry);
  // Marks the page dirty, since it may have been stored to.
  void Unpin(const Slot& slot);
  bool IsPinned(const ByteRange& pages);
  // With no lock of the file held; what it says is true for a moment only.
  void WaitForPins(const ByteRange& pages);

  // How many times write-back has flushed an entry: for who watches the work that it does.
  uint64_t flushed_entries();

 protected:
  // `devices`, which Entry::device counts, outlive the address space.
  explicit AddressSpace(const DeviceSet& devices) : devices_(devices) {}

  Device& DeviceOf(uint8_t device) const { return *devices_[device]; }

  // Who must be woken when an entry is taken out: whoever waits may find none, and then has nobody
  // else to wake.
  enum class Wakes : uint8_t { kOne, kAll };

  // Waits until the entry that covers `page`, locked by somebody, is released or taken out.
  void WaitFor(uint64_t page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Who has waited for an entry and does not take its lock wakes the next one.
  void PassOn(uint64_t page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // That, for the page `waited_for`, unless `slot`, which is to be locked now, covers it; then
  // `waited_for` is kNoPage.
  void PassOnUnless(const std::optional<Slot>& slot, uint64_t& waited_for)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static constexpr uint64_t kNoPage = ~uint64_t{0};
  LockedEntry Lock(const Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(const Slot& slot, Wakes wakes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The ends of a LockedEntry for who has mutex_ already.
  void ReleaseHeld(LockedEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseHeld(LockedEntry& entry, Wakes wakes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool AnyPinned(const ByteRange& pages) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A write-back is under way from before its first flush until after its drain: whoever finds
  // pages clean waits for those that may have cleaned them.
  struct WriteBackTicket {
    uint64_t number;
    uint64_t errors_before;  // how many there were when it began
  };
  // Nothing when no page is dirty and no write-back is under way.
  std::optional<WriteBackTicket> BeginWriteBack();
  // Says how it went, and waits for all others that have begun. On an error the pages in `flushed`
  // are dirty again, and it is kept for CheckErrors. False when another one has failed meanwhile:
  // pages that it had cleaned are dirty again.
  bool EndWriteBack(const WriteBackTicket& ticket, const absl::Status& status,
                    absl::Span<const ByteRange> flushed);
  bool OthersAreUnderWay(const WriteBackTicket& ticket);

  // Tables that note stores say which; from then on these pages are dirty.
  absl::Status TakeWritten(const ByteRange& pages);

  // Calls `body` for each attached table.
  void ForEachTable(absl::FunctionRef<void(PageTable&)> body);

  Mutex mutex_{LockRank::kLeaf};
  EntryTable table_ ABSL_GUARDED_BY(mutex_);
  uint64_t flushed_entries_ ABSL_GUARDED_BY(mutex_) = 0;

 private:
  friend class LockedEntry;

  struct Waiter {
    uint64_t page;  // of the entry that it waits for
    bool woken = false;
    CondVar released = {};
  };

  void Wake(const Slot& slot, Wakes wakes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TagDirtyAgain(const ByteRange& pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Dirty, though somebody may hold the entry's lock and be flushing what was there before.
  void TagStored(const Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteWritten(absl::Span<const PageTable::WrittenPages> written);

  const DeviceSet& devices_;
  std::vector<Waiter*> waiters_ ABSL_GUARDED_BY(mutex_);  // who has waited longest first
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::btree_set<uint64_t> under_way_ ABSL_GUARDED_BY(mutex_);
  CondVar write_back_ended_;
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> error_count_ = 0;                             // changed with mutex_ held
  absl::btree_map<uint64_t, uint32_t> pins_ ABSL_GUARDED_BY(mutex_);  // by first page of a slot
  CondVar unpinned_;

  SharedMutex tables_mutex_{LockRank::kPageTables};
  std::vector<PageTable*> page_tables_ ABSL_GUARDED_BY(tables_mutex_);
  // How many of them do; changed with tables_mutex_ held.
  std::atomic<size_t> noting_tables_ = 0;
  std::atomic<size_t> trapping_tables_ = 0;
  std::atomic<size_t> tables_ahead_ = 0;
};

// Makes the address space of a file.
using AddressSpaceFactory = std::unique_ptr<AddressSpace> (*)(const DeviceSet& devices);
std::unique_ptr<AddressSpace> MakeAddressSpace(const DeviceSet& devices);

}  // namespace iomap::dax
