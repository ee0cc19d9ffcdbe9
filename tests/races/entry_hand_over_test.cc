// The lock of an entry goes from one who waits to the next, also when the one whose turn it is has
// no more use for it.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "dax/address_space.h"
#include "dax/memory_device.h"
#include "gtest/gtest.h"
#include "iomap/file_locks.h"
#include "tests/support/environment.h"
#include "tools/schedule/exploration.h"

namespace iomap::tests {
namespace {

// Walks over dirty entries that queue for one which somebody else has. Meanwhile an entry in front
// of it becomes dirty, and is waited for too.
class QueueingWalks : public schedule::Scenario {
 public:
  QueueingWalks() {
    devices_.push_back(
        std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(3 * dax::kPageBytes)));
    space_ = dax::MakeAddressSpace(devices_);
    MakeDirty(2);
  }

  std::vector<std::function<void()>> Threads() override {
    std::vector<std::function<void()>> threads(2, [this] { Walk(); });
    threads.push_back([this] {
      Walk();
      Walk();
    });
    threads.push_back([this] {
      { const auto held = Lock(2); }
      MakeDirty(0);
      Walk();
    });
    return threads;
  }

 private:
  std::optional<dax::LockedEntry> Lock(uint64_t page) {
    const InvalidateShared invalidate = locks_.LockInvalidateShared();
    return space_->LockEntry(invalidate, page * dax::kPageBytes, dax::PageSize::kBase);
  }
  void MakeDirty(uint64_t page) {
    Lock(page)->SetDirty({.kind = dax::EntryKind::kPresent, .address = page * dax::kPageBytes});
  }
  void Walk() {
    space_->ForEachLockedDirty(ByteRange::All(), [](const dax::LockedRun&) {});
  }

  FileLocks locks_;
  dax::DeviceSet devices_;
  std::unique_ptr<dax::AddressSpace> space_;
};

TEST(EntryLocks, AreHandedOnByWhoNeedsThemNoMore) {
  // A deadlock in one of some thousand runs, where whoever is woken forgets the others.
  const schedule::ExplorationResult result =
      schedule::Explore([] { return std::make_unique<QueueingWalks>(); },
                        {.method = schedule::ExplorationOptions::Method::kRandom,
                         .most_runs = NumberFromEnvironment("IOMAP_RACES_HAND_OVERS", 20'000)});
  EXPECT_EQ(result.failed_runs, 0)
      << "run " << result.runs << ", " << result.first_schedule << ": " << result.first_failure
      << "\nrerun: build/dev/tests/races/races_tests --gtest_filter=EntryLocks.*";
}

}  // namespace
}  // namespace iomap::tests
