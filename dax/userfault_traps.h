#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "dax/page_traps.h"
#include "dax/pagemap.h"
#include "dax/userfault.h"

namespace iomap::dax {

// Traps by userfaultfd: kAsync, kAsyncUser and kWriteFaults.
//
// Pages are made elsewhere, registered, protected, and moved into place, so that no store gets past
// the protection. To freeze pages they are registered anew, for who has to look a page up again,
// and dropped from the page table: they stay in their file, what was noted of them stays noted, and
// whoever touches one waits. That is to be had for shared memory (tmpfs) alone.
class UserfaultTraps final : public PageTraps {
 public:
  static absl::StatusOr<std::unique_ptr<PageTraps>> Make(Tracking tracking);

  absl::Status Begin(const MemoryRange& whole) override;
  absl::Status Try(int descriptor, uint64_t offset) override;
  bool notes_stores() const override { return stores_ != nullptr; }
  absl::Status TakeWritten(const MemoryRange& pages,
                           absl::FunctionRef<void(const MemoryRange&)> written) override;
  bool Freeze(const MemoryRange& pages) override;
  absl::Status AllowStores(const MemoryRange& pages) override;
  absl::Status TrapStores(const MemoryRange& pages) override;
  std::vector<pollfd> descriptors() const override;
  std::optional<Fault> NextFault() override;
  void LetGo(const Fault& fault) override;

 private:
  UserfaultTraps(std::unique_ptr<Userfault> faults, std::unique_ptr<Userfault> stores,
                 std::unique_ptr<Pagemap> pagemap)
      : faults_(std::move(faults)), stores_(std::move(stores)), pagemap_(std::move(pagemap)) {}

  // Registered and protected.
  absl::StatusOr<MemoryRange> MakePages(size_t bytes, const Pages& pages) override;
  absl::Status Protect(const MemoryRange& made, PageState state);

  const std::unique_ptr<Userfault> faults_;  // of pages that are not kWritable
  const std::unique_ptr<Userfault> stores_;  // to those that are; null: there are none
  const std::unique_ptr<Pagemap> pagemap_;   // as stores_
};

}  // namespace iomap::dax
