#pragma once

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "iomap/byte_range.h"
#include "iomap/mutex.h"

namespace iomap::ram {

inline constexpr uint64_t kBlockBytes = 4096;

// The blocks of one device, and how many files use each. Safe for concurrent use.
class Blocks {
 public:
  explicit Blocks(uint64_t device_bytes);

  // A run of at most `most_bytes` free bytes, whole blocks, used once from now on; at a multiple of
  // `most_bytes` when that is a power of two and there is such a run. ResourceExhausted when no
  // block is free.
  absl::StatusOr<ByteRange> Allocate(uint64_t most_bytes);
  void AddUser(const ByteRange& place);
  void RemoveUser(const ByteRange& place);

  // The length of the run at the start of `place` whose blocks all are shared, or all are not.
  struct Sharing {
    uint64_t length;
    bool shared;
  };
  Sharing SharingAt(const ByteRange& place);

  uint64_t free_bytes();

 private:
  uint64_t FreeRunAt(uint64_t block, uint64_t most) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_{LockRank::kGroup};
  std::vector<uint32_t> users_ ABSL_GUARDED_BY(mutex_);
  uint64_t free_ ABSL_GUARDED_BY(mutex_);      // blocks
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // where the last search ended
};

}  // namespace iomap::ram
