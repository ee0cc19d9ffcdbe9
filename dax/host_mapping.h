#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/fault_worker.h"
#include "dax/file.h"
#include "dax/host_page_table.h"
#include "dax/page_traps.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// A file mapped into this process: one pointer, plain loads and stores, from any thread and from
// system calls (read(2) into it). Extents may change under it. What was stored before Fsync is
// called is durable when it returns.
//
// As with mmap(2): what lies past the page of the end of file ends in SIGBUS, as does a store for
// which there is no space and an access that the file system cannot serve (last_error() says why);
// such a page is tried again once its range has changed, or is populated. Stores between the end of
// file and the end of its page are seen by nobody after the page has left memory. Stores in
// sequence to holes allocate some blocks ahead.
//
// A child of fork(2) does not inherit it: its accesses end in SIGSEGV. What another process, or the
// kernel by O_DIRECT, has under way while a range moves goes to the old place. Three threads of the
// mapping's own resolve page faults; if one of them is ended by force, the process aborts. A thread
// that waits for a fault waits for changes of the file's extents to end, so it must not hold a lock
// that such a change needs; nor may a file system touch a mapping of its own files.
//
// Safe for concurrent use.
class HostMapping {
 public:
  struct Options {
    uint64_t bytes = 0;  // from the file's beginning; 0: as long as the file is now
    // With kYes a store returns once all that is needed to find its page is durable, so that
    // Persist, by the program itself, is enough.
    MapSync sync = MapSync::kNo;
    // Nothing: the best that the kernel, the user's rights and the device allow.
    std::optional<Tracking> tracking = std::nullopt;
  };

  // InvalidArgument for a mapping of no bytes; FailedPrecondition for a file whose device cannot be
  // mapped (one that records, say), and for kYes on a device whose stores need msync;
  // ResourceExhausted for one in too many pieces; Unavailable where the kernel, or the user's
  // rights, lack what the tracking needs.
  static absl::StatusOr<std::unique_ptr<HostMapping>> Make(std::shared_ptr<File> file,
                                                           const Options& options);
  // munmap: what was stored stays to be flushed. Nobody may touch the addresses any more.
  ~HostMapping();
  HostMapping(const HostMapping&) = delete;
  HostMapping& operator=(const HostMapping&) = delete;

  // What a store makes dirty with kSignals, at most, in small files.
  static constexpr uint64_t kClusterPages = 16;

  // OK where stores to files on `device` can be tracked so; errors as above.
  static absl::Status CanTrack(Tracking tracking, const Device& device);

  // How many mappings of the process (vm.max_map_count) all of these may take; 48,000 before.
  static void LimitPieces(size_t most) { HostPageTable::LimitPieces(most); }

  // The bytes of the file, from its beginning: a multiple of 2 MiB.
  absl::Span<std::byte> bytes() const { return {table_->address(), table_->size()}; }
  Tracking tracking() const { return tracking_; }

  // Gives `range` blocks, so that stores to it do not fail for lack of space, and maps it
  // (MADV_POPULATE_WRITE). OutOfRange past the page of the end of file.
  absl::Status Populate(const ByteRange& range);

  // msync(MS_SYNC), and fsync of the descriptor that was mapped: an error that a write-back met is
  // reported once to each mapping.
  absl::Status Msync(const ByteRange& range);
  absl::Status Fsync(SyncKind kind = SyncKind::kFile);

  // Why an access ended in SIGBUS last.
  absl::Status last_error();

  File& file() { return *file_; }

 private:
  HostMapping(std::shared_ptr<File> file, Tracking tracking, std::unique_ptr<HostPageTable> table,
              MapSync sync, int wake_up);

  // Maps what has blocks of its own, so that loads, and stores where those are noted, need no
  // fault.
  absl::Status MapExtents(const InvalidateHeld& invalidate, const ByteRange& range);
  // While a file system is frozen, nothing is mapped that can be stored to without a fault.
  absl::Status MapExtentsUnlessFrozen(const InvalidateHeld& invalidate,
                                      const FreezeGate::Passage& passage, const ByteRange& range);
  void ReadFaults();
  void Resolve(const HostPageTable::Fault& fault);
  absl::Status ResolveLoad(uint64_t offset);
  absl::Status ResolveStore(uint64_t offset);
  absl::Status MapZeroesAround(const InvalidateHeld& invalidate, uint64_t offset);
  absl::Status PopulateLocked(const InvalidateHeld& invalidate, const ByteRange& pages);
  // What else a store to the page at `offset` makes ready.
  absl::StatusOr<ByteRange> AroundStore(uint64_t offset, uint64_t size);

  const std::shared_ptr<File> file_;
  const Tracking tracking_;
  const std::unique_ptr<HostPageTable> table_;
  const MapSync sync_;
  uint64_t error_cursor_;

  Mutex mutex_{LockRank::kLeaf};
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
  // Where the next store would be in sequence, and how many bytes the one before it got.
  uint64_t next_in_sequence_ ABSL_GUARDED_BY(mutex_) = ~uint64_t{0};
  uint64_t ahead_ ABSL_GUARDED_BY(mutex_) = kPageBytes;

  const int wake_up_;  // an eventfd: the reader ends
  FaultWorker loads_;
  FaultWorker stores_;  // may wait for a file system to be thawed
  std::thread reader_;
};

// Makes what was stored to a mapping that was made with MapSync::kYes durable, with no call of the
// file system: writes the lines back, and waits (pmem_persist). The caller's own stores alone, and
// those that it has seen.
void Persist(const void* address, size_t bytes);

}  // namespace iomap::dax
