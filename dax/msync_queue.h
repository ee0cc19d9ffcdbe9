#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "iomap/byte_range.h"

namespace iomap::dax {

// What has been stored to a shared mapping of a file whose pages are in the page cache, and must go
// through msync to be durable: cache lines that are written back get no further than memory. Safe
// for concurrent use.
class MsyncQueue {
 public:
  // `range`, in bytes from the start of the mapping, is to be made durable by the next Drain.
  void Note(const ByteRange& range);

  // msyncs the pages of all that was noted, by any thread. Unavailable, with the system's own
  // words, when that fails; they are noted again then.
  absl::Status Drain(void* mapping);

 private:
  // Held while pages are written: who finds nothing noted must not return before they are.
  std::mutex mutex_;
  std::vector<ByteRange> noted_;  // pages; guarded by mutex_
};

}  // namespace iomap::dax
