#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "dax/file.h"

namespace iomap::tests {

// A file of its own file system: pages, holes at first, each of which a store gives the next page
// of the device; each such change is numbered, and durable once it is committed.
class PageFile : public dax::File {
 public:
  PageFile(const dax::DeviceSet& devices, uint64_t pages);

  absl::StatusOr<Attributes> attributes() override;
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override;
  absl::StatusOr<WriteMapping> MapForFault(const InvalidateHeld& invalidate,
                                           const ByteRange& pages) override;

  uint64_t changes() const { return changes_; }
  uint64_t committed() const { return committed_; }

  // Called by MapForFault.
  std::function<void()> on_fault = [] {};

 private:
  uint64_t LatestChange(SyncKind /*kind*/) override { return changes_; }
  absl::Status CommitUpTo(uint64_t change) override;
  Mapping PageAt(uint64_t page);

  std::mutex mutex_;
  std::vector<std::optional<uint64_t>> addresses_;  // guarded by mutex_
  std::atomic<uint64_t> changes_ = 0;
  std::atomic<uint64_t> committed_ = 0;
};

}  // namespace iomap::tests
