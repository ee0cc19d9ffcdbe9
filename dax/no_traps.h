#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "dax/page_traps.h"

namespace iomap::dax {

// kNothing: accesses to pages that are not there end in SIGBUS, and all that are there for stores
// may have been stored to.
class NoTraps final : public PageTraps {
 public:
  static absl::StatusOr<std::unique_ptr<PageTraps>> Make();

  absl::Status Begin(const MemoryRange& whole) override;
  bool notes_stores() const override { return true; }
  absl::Status TakeWritten(const MemoryRange& pages,
                           absl::FunctionRef<void(const MemoryRange&)> written) override;
  bool Freeze(const MemoryRange& /*pages*/) override { return false; }
  std::vector<pollfd> descriptors() const override { return {}; }
  std::optional<Fault> NextFault() override { return std::nullopt; }
  void LetGo(const Fault& /*fault*/) override {}

 private:
  absl::StatusOr<MemoryRange> MakePages(size_t bytes, const Pages& pages) override;
};

}  // namespace iomap::dax
