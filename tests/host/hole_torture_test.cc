// Holes that are filled by write(2) and by stores, and punched again, while others look at them
// through another mapping: nobody sees zeros that are gone, and no store is lost.

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "dax/host_mapping.h"
#include "dax/io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/host/host_mapping_fixture.h"
#include "tests/support/environment.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::HostMappingFixture;
using ::iomap::tests::IsOk;

constexpr uint64_t kPages = 64;
constexpr uint64_t kWriters = 2;

class HostHoles : public HostMappingFixture {
 protected:
  static uint64_t* WordOf(HostMapping& mapping, uint64_t page, uint64_t word) {
    return reinterpret_cast<uint64_t*>(mapping.bytes().data() + page * kPageBytes) + word;
  }
  static uint64_t Load(HostMapping& mapping, uint64_t page, uint64_t word) {
    return __atomic_load_n(WordOf(mapping, page, word), __ATOMIC_RELAXED);
  }

  // Fills a page that is a hole with a write and a store, and makes it a hole again.
  void FillAndPunch(uint64_t page, uint64_t value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    ASSERT_THAT(dax::Write(*file_, page * kPageBytes, bytes), IsOk());
    ASSERT_EQ(Load(*one_, page, 0), value);
    __atomic_store_n(WordOf(*other_, page, 1), value, __ATOMIC_RELAXED);
    ASSERT_EQ(Load(*one_, page, 1), value);
    ASSERT_THAT(other_->Fsync(), IsOk());
    {
      const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
      const auto place =
          FirstMapping(*file_, &iomap::File::MapForRead, {page * kPageBytes, kPageBytes});
      ASSERT_THAT(place, IsOk());
      ASSERT_EQ(place->type, MappingType::kMapped);
      const std::vector<std::byte> durable =
          device_->Durable(place->AddressOf(page * kPageBytes), 2 * sizeof value);
      for (const size_t word : {0, 1}) {
        ASSERT_EQ(std::memcmp(durable.data() + word * sizeof value, &value, sizeof value), 0)
            << "page " << page << ", word " << word << ", value " << value;
      }
    }
    ASSERT_THAT(file_->Fallocate(FallocateMode::kPunchHole, {page * kPageBytes, kPageBytes}),
                IsOk());
    ASSERT_EQ(Load(*one_, page, 1), 0);
  }

  std::shared_ptr<File> file_;
  std::unique_ptr<HostMapping> one_;
  std::unique_ptr<HostMapping> other_;
};

INSTANTIATE_TEST_SUITE_P(Each, HostHoles,
                         testing::Values(Tracking::kAsync, Tracking::kWriteFaults,
                                         Tracking::kSignals),
                         tests::NameOfTracking);

TEST_P(HostHoles, AreFilledAndPunchedInTheSightOfOthers) {
  file_ = MakeFile("f", kPages, 0);
  one_ = Mapped(file_);
  other_ = Mapped(file_);
  const auto seconds =
      std::chrono::seconds(tests::NumberFromEnvironment("IOMAP_TORTURE_SECONDS", 1));
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> rounds = 0;
  std::vector<std::thread> threads;
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::mt19937_64 random(writer);
      for (uint64_t value = 1; !stop && !testing::Test::HasFatalFailure(); ++value) {
        FillAndPunch(random() % (kPages / kWriters) * kWriters + writer, value);
        ++rounds;
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(7);
    while (!stop) {
      Load(random() % 2 == 0 ? *one_ : *other_, random() % kPages, 0);
    }
  });
  std::this_thread::sleep_for(seconds);
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(rounds, 0);
}

}  // namespace
}  // namespace iomap::dax
