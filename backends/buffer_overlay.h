#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "backends/buffer.h"
#include "iomap/mutex.h"

namespace iomap::backends {

// One image of a buffer in memory: the private copy of one transaction, which changes it until it
// is sealed.
struct OverlayImage {
  Buffer buffer;
  Sequence sequence = 0;
  std::vector<std::byte> bytes;
};

// The bytes of a buffer as its readers see them: its newest image, or the medium. An image lives as
// long as a view of it. Who reads holds the file system's own lock of what it reads, so that those
// bytes of it do not change.
class BufferView {
 public:
  BufferView() = default;
  explicit BufferView(absl::Span<const std::byte> medium) : bytes_(medium) {}
  explicit BufferView(std::shared_ptr<const OverlayImage> image)
      : bytes_(image->bytes), image_(std::move(image)) {}

  absl::Span<const std::byte> bytes() const { return bytes_; }

 private:
  absl::Span<const std::byte> bytes_;
  std::shared_ptr<const OverlayImage> image_;  // null: the medium
};

// The buffers whose newest image the medium does not have yet. A look-up is one probe of a table,
// or one load where there are none. Safe for concurrent use.
class BufferOverlay {
 public:
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }

  // Null when the medium has it.
  std::shared_ptr<OverlayImage> Find(uint64_t address) const;

  // Makes `image` the newest, unless one of the same transaction is there already: returns the one
  // that is there afterwards.
  std::shared_ptr<OverlayImage> Put(std::shared_ptr<OverlayImage> image);

  // Forgets the image of `address` when it is of transaction `sequence` or an older one.
  void EraseUpTo(uint64_t address, Sequence sequence);

 private:
  struct Shard {
    Mutex mutex{LockRank::kLeaf};
    absl::flat_hash_map<uint64_t, std::shared_ptr<OverlayImage>> images ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(uint64_t address) const;

  static constexpr size_t kShards = 16;

  std::atomic<size_t> count_ = 0;
  mutable std::array<Shard, kShards> shards_;
};

}  // namespace iomap::backends
