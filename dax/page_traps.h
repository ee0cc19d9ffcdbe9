#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "dax/process_memory.h"

namespace iomap::dax {

// How a process finds out which pages of a file that it has mapped were stored to, and how it gets
// to resolve its own page faults. What each of them cannot do: dax/README.md.
enum class Tracking : uint8_t {
  // userfaultfd: the kernel notes stores (asynchronous write-protection, PAGEMAP_SCAN), and a
  // thread resolves faults of pages that are not there.
  kAsync,
  // The same without privileges (UFFD_USER_MODE_ONLY): a system call that touches a page that is
  // not there, or is on its way elsewhere, fails with EFAULT.
  kAsyncUser,
  // userfaultfd, with a fault for the first store to each clean page: no asynchronous protection.
  kWriteFaults,
  // mprotect, with a SIGSEGV for the first store to each cluster of clean pages. System calls that
  // touch one, too, fail with EFAULT.
  kSignals,
  // Nothing: every page that is mapped for stores counts as stored to, all pages are allocated when
  // they are mapped, and what changes of extents have unmapped ends in SIGBUS until it is populated
  // again.
  kNothing,
};

// From the best to the last.
absl::Span<const Tracking> AllTrackings();
absl::string_view TrackingName(Tracking tracking);  // "async", ...

// What pages of a mapping show.
enum class PageState : uint8_t {
  kUnmapped,  // nothing yet: any access is trapped
  kZeroes,    // loads give zeros, a store is trapped
  kReadOnly,  // loads give the bytes of a file, a store is trapped until it is allowed
  kWritable,  // loads and stores; stores are noted, not trapped
  kRefused,   // any access ends in SIGBUS
};

// The memory-management side of one mapping: puts pages in their place, catches accesses to those
// that are not there yet, and notes or catches the first store to the others. Knows nothing of
// files.
//
// Safe for concurrent use, but for Put, Freeze and TakeWritten of the same pages. Errors:
// Unavailable, with the system's words, for what this kernel or this user cannot do;
// ResourceExhausted when the system allows no more pieces; Internal for a refusal of a range.
class PageTraps {
 public:
  static absl::StatusOr<std::unique_ptr<PageTraps>> Make(Tracking tracking);
  virtual ~PageTraps();
  PageTraps(const PageTraps&) = delete;
  PageTraps& operator=(const PageTraps&) = delete;

  // What pages are to show; kReadOnly and kWritable show a file's.
  struct Pages {
    PageState state = PageState::kUnmapped;
    int descriptor = -1;
    uint64_t offset = 0;  // in that file
  };

  // Makes reserved addresses the mapping's, unmapped, and lets go of them.
  virtual absl::Status Begin(const MemoryRange& whole) = 0;
  virtual void End(const MemoryRange& whole) { UnmapMemory(whole); }

  // Shows `pages` at `place` instead of whatever is there, in one step: no access meets anything
  // else. Writable ones begin clean. Unimplemented where stores are noted and those to this file
  // cannot be trapped, so that it cannot be shown for loads alone.
  absl::Status Put(const MemoryRange& place, const Pages& pages);
  // Whether pages of that file can be put, for stores; changes nothing.
  virtual absl::Status Try(int descriptor, uint64_t offset);

  // True: pages are put kWritable, and TakeWritten says which were stored to. False: they are put
  // kReadOnly, and AllowStores follows a trapped store.
  virtual bool notes_stores() const = 0;

  // Calls `written` for each run of pages that were stored to since they were put, or said the last
  // time: a store is seen by this call or by the next. Only pages that are kWritable count.
  virtual absl::Status TakeWritten(const MemoryRange& pages,
                                   absl::FunctionRef<void(const MemoryRange&)> written) = 0;
  // From now on whoever touches these writable pages waits until others are put there, so that the
  // next TakeWritten misses no store to them. False where that is not to be had: then every page
  // may have been stored to.
  virtual bool Freeze(const MemoryRange& pages) = 0;

  // Of kReadOnly pages. Where a change of protection makes pieces of its own (mprotect), it can
  // fail with ResourceExhausted.
  virtual bool protection_makes_pieces() const { return false; }
  virtual absl::Status AllowStores(const MemoryRange& /*pages*/) { return absl::OkStatus(); }
  // When it returns, stores that were under way are done.
  virtual absl::Status TrapStores(const MemoryRange& /*pages*/) { return absl::OkStatus(); }

  // An access that waits until it is let go.
  struct Fault {
    uintptr_t address;
    bool is_store;
    void* waiter;  // of this implementation
  };
  // What to poll(2) for faults, and the next one, without waiting. One thread must read them
  // whenever there is anything to read, since Put may wait for that.
  virtual std::vector<pollfd> descriptors() const = 0;
  virtual std::optional<Fault> NextFault() = 0;
  // The access is tried again.
  virtual void LetGo(const Fault& fault) = 0;

 protected:
  PageTraps() = default;

  // Makes pages, somewhere, that show this and trap what they have to.
  virtual absl::StatusOr<MemoryRange> MakePages(size_t bytes, const Pages& pages) = 0;
};

}  // namespace iomap::dax
