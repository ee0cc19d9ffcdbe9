#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "dax/entry.h"
#include "dax/page_table.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// A page table whose loads and stores are calls: what runs under a scheduler, and what a recording
// device sees. A load or a store, with its look-up, is one step, as it is for a processor.
class SoftPageTable final : public PageTable {
 public:
  // `largest`: whether it maps 2 MiB with one entry where it can.
  explicit SoftPageTable(PageSize largest) : largest_(largest) {}

  // Loads bytes of one base page. False, with nothing done, when they must be faulted in first.
  bool Load(uint64_t offset, absl::Span<std::byte> out);
  // The same for a store.
  bool Store(uint64_t offset, absl::Span<const std::byte> bytes);

  absl::Status Map(const ByteRange& pages, Device& device, uint64_t address,
                   Access access) override;
  absl::Status MapZeroes(const ByteRange& pages) override;
  void Unmap(const ByteRange& pages) override;
  void WriteProtect(const ByteRange& pages) override;
  bool wants_huge_pages() const override { return largest_ == PageSize::kHuge; }

 private:
  struct Place {
    Device* device = nullptr;  // null: zeros
    uint64_t address = 0;
    bool writable = false;
  };
  // By page number, or by number of the huge page.
  using Places = absl::flat_hash_map<uint64_t, Place>;

  void MapLocked(const ByteRange& pages, const Place& place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UnmapLocked(const ByteRange& pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Where the byte at `offset` lies, and how it may be reached; null where it is not mapped.
  const Place* Find(uint64_t offset, uint64_t& address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PageSize largest_;
  Mutex mutex_{LockRank::kLeaf};
  Places base_ ABSL_GUARDED_BY(mutex_);
  Places huge_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace iomap::dax
