#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "dax/page_traps.h"

namespace iomap::dax {

// kSignals: accesses to pages that are protected against them arrive as SIGSEGV. The handler, which
// is installed once a process with the first mapping and passes on what is not a mapping's, tells
// the reader of faults, and waits.
//
// Such an access must not happen where SIGSEGV is blocked, and who replaces the handler later must
// call the one before.
class SignalTraps final : public PageTraps {
 public:
  // Unavailable on processors other than x86-64, whose signals do not tell a store from a load.
  static absl::StatusOr<std::unique_ptr<PageTraps>> Make();
  ~SignalTraps() override;

  // ResourceExhausted past some hundred mappings.
  absl::Status Begin(const MemoryRange& whole) override;
  void End(const MemoryRange& whole) override;
  bool notes_stores() const override { return false; }
  absl::Status TakeWritten(const MemoryRange& /*pages*/,
                           absl::FunctionRef<void(const MemoryRange&)> /*written*/) override {
    return absl::OkStatus();
  }
  bool protection_makes_pieces() const override { return true; }
  bool Freeze(const MemoryRange& /*pages*/) override { return false; }
  absl::Status AllowStores(const MemoryRange& pages) override;
  absl::Status TrapStores(const MemoryRange& pages) override;
  std::vector<pollfd> descriptors() const override;
  std::optional<Fault> NextFault() override;
  void LetGo(const Fault& fault) override;

 private:
  absl::StatusOr<MemoryRange> MakePages(size_t bytes, const Pages& pages) override;

  SignalTraps(int read_end, int write_end) : read_end_(read_end), write_end_(write_end) {}

  const int read_end_;  // of a pipe of addresses of those who wait
  const int write_end_;
};

}  // namespace iomap::dax
