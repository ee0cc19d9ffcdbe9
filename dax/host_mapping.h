#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/file.h"
#include "dax/host_page_table.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// A file mapped into this process: one pointer, plain loads and stores, from any thread and from
// system calls (read(2) into it). Extents may change under it. What was stored before Fsync is
// called is durable when it returns.
//
// As with mmap(2): what lies past the page of the end of file ends in SIGBUS, as does a store for
// which there is no space and an access that the file system cannot serve (last_error() says why);
// such a page is tried again once its range has changed. Stores between the end of file and the end
// of its page are seen by nobody after the page has left memory.
//
// A child of fork(2) does not inherit it. What another process, or the kernel by O_DIRECT, has
// under way while a range moves goes to the old place. Two threads of the mapping's own resolve
// page faults; a thread that waits for one waits for changes of the file's extents to end, so it
// must not hold a lock that such a change needs.
//
// Safe for concurrent use.
class HostMapping {
 public:
  struct Options {
    uint64_t bytes = 0;  // from the file's beginning; 0: as long as the file is now
    MapSync sync = MapSync::kNo;
    Userfault::Faults faults = Userfault::Faults::kAll;
  };

  // InvalidArgument for a mapping of no bytes, FailedPrecondition for a file whose device cannot be
  // mapped (one that records, say), ResourceExhausted for one in too many pieces, Unavailable where
  // the kernel, or the user's rights, lack what is needed.
  static absl::StatusOr<std::unique_ptr<HostMapping>> Make(std::shared_ptr<File> file,
                                                           const Options& options);
  // munmap: what was stored stays to be flushed. Nobody may touch the addresses any more.
  ~HostMapping();
  HostMapping(const HostMapping&) = delete;
  HostMapping& operator=(const HostMapping&) = delete;

  // The bytes of the file, from its beginning: a multiple of 2 MiB.
  absl::Span<std::byte> bytes() const { return {table_->address(), table_->size()}; }

  // msync(MS_SYNC), and fsync of the descriptor that was mapped: an error that a write-back met is
  // reported once to each mapping.
  absl::Status Msync(const ByteRange& range);
  absl::Status Fsync(SyncKind kind = SyncKind::kFile);

  // Why an access ended in SIGBUS last.
  absl::Status last_error();

  File& file() { return *file_; }

 private:
  HostMapping(std::shared_ptr<File> file, std::unique_ptr<HostPageTable> table, MapSync sync,
              int wake_up);

  // Maps what has blocks of its own, so that stores to it need no fault.
  absl::Status MapExtents(const ByteRange& range);
  void ReadFaults();
  void ResolveFaults();
  absl::Status Resolve(const HostPageTable::Fault& fault);

  const std::shared_ptr<File> file_;
  const std::unique_ptr<HostPageTable> table_;
  const MapSync sync_;
  uint64_t error_cursor_;

  Mutex mutex_{LockRank::kLeaf};
  CondVar queued_;
  std::deque<HostPageTable::Fault> queue_ ABSL_GUARDED_BY(mutex_);
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
  const int wake_up_;  // an eventfd: the reader ends
  std::thread reader_;
  std::thread resolver_;
};

}  // namespace iomap::dax
