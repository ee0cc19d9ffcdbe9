// Four threads of the operating system on one file, all that DAX has at once: for the thread
// sanitizer, and for lost stores.

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ram/filesystem.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/soft_mapping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/environment.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::IsOk;

constexpr uint64_t kPagesOfAThread = 64;
constexpr size_t kThreads = 4;

constexpr int kLeastSteps = 3000;

// Each thread has pages of its own in a file of all: their contents are known exactly, while the
// others change extents beside them. A file that one thread shifts is its own.
class Worker {
 public:
  Worker(std::shared_ptr<File> file, std::shared_ptr<File> own_file, size_t number)
      : file_(std::move(file)),
        own_file_(std::move(own_file)),
        mapping_(file_, {.largest_page = number % 2 == 0 ? PageSize::kBase : PageSize::kHuge}),
        own_mapping_(own_file_),
        first_(number * kPagesOfAThread),
        random_(number),
        values_(kPagesOfAThread, 0) {}

  void Step() {
    const uint64_t page = random_() % kPagesOfAThread;
    const uint64_t offset = (first_ + page) * kPageBytes;
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2:
      case 3: {
        ++values_[page];
        ASSERT_THAT(mapping_.Store(offset, Span(values_[page])), IsOk());
        break;
      }
      case 4: {
        ++values_[page];
        std::vector<std::byte> bytes(kPageBytes);
        std::memcpy(bytes.data(), &values_[page], sizeof(uint64_t));
        ASSERT_THAT(dax::Write(*file_, offset, bytes), IsOk());
        break;
      }
      case 5:
        ASSERT_THAT(file_->Fallocate(FallocateMode::kPunchHole, {offset, kPageBytes}), IsOk());
        values_[page] = 0;
        break;
      case 6:
        ASSERT_THAT(mapping_.Fsync(), IsOk());
        break;
      case 7:
        Shift();
        break;
      default:
        Check(page);
    }
  }

  void CheckAll() {
    for (uint64_t page = 0; page < kPagesOfAThread; ++page) {
      Check(page);
    }
  }

 private:
  static absl::Span<const std::byte> Span(const uint64_t& value) {
    return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&value), sizeof value);
  }

  void Check(uint64_t page) {
    uint64_t value = 0;
    ASSERT_THAT(mapping_.Load((first_ + page) * kPageBytes,
                              absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof value)),
                IsOk());
    ASSERT_EQ(value, values_[page]) << "page " << first_ + page;
  }

  void Shift() {
    ASSERT_THAT(own_mapping_.Store(0, Span(first_)), IsOk());
    ASSERT_THAT(own_file_->Fallocate(FallocateMode::kInsertRange, {0, kPageBytes}), IsOk());
    uint64_t value = 0;
    ASSERT_THAT(own_mapping_.Load(
                    kPageBytes, absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof value)),
                IsOk());
    ASSERT_EQ(value, first_);
    ASSERT_THAT(own_file_->Fallocate(FallocateMode::kCollapseRange, {0, kPageBytes}), IsOk());
  }

  const std::shared_ptr<File> file_;
  const std::shared_ptr<File> own_file_;
  SoftMapping mapping_;
  SoftMapping own_mapping_;
  const uint64_t first_;
  std::mt19937_64 random_;
  std::vector<uint64_t> values_;
};

TEST(MixedThreads, LoseNoStore) {
  DeviceSet devices;
  devices.push_back(std::make_unique<MemoryDevice>(std::vector<std::byte>(16 << 20)));
  const auto ram = *ram::Filesystem::Make(std::move(devices));
  const auto make_file = [&](const std::string& name, uint64_t pages) {
    auto file = *ram->OpenFile(*ram->Create(ram->root(), name, S_IFREG | 0644));
    EXPECT_THAT(file->SetSize(pages * kPageBytes), IsOk());
    return file;
  };
  const auto file = make_file("shared", kThreads * kPagesOfAThread);
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t i = 0; i < kThreads; ++i) {
    workers.push_back(std::make_unique<Worker>(file, make_file(absl::StrCat("own", i), 8), i));
  }
  // IOMAP_RACES_SECONDS: how long at least; the tsan preset sets it.
  const auto deadline =
      std::chrono::steady_clock::now() +
      std::chrono::seconds(tests::NumberFromEnvironment("IOMAP_RACES_SECONDS", 0));
  std::atomic<uint64_t> steps = 0;
  std::vector<std::thread> threads;
  for (const auto& worker : workers) {
    threads.emplace_back([&] {
      for (int step = 0; step < kLeastSteps || std::chrono::steady_clock::now() < deadline;
           ++step) {
        worker->Step();
        ++steps;
        if (testing::Test::HasFatalFailure()) {
          return;
        }
      }
    });
  }
  std::atomic<bool> stop = false;
  std::thread syncer([&] {
    while (!stop) {
      EXPECT_THAT(ram->Sync(), IsOk());
    }
  });
  for (std::thread& thread : threads) {
    thread.join();
  }
  stop = true;
  syncer.join();
  for (const auto& worker : workers) {
    worker->CheckAll();
  }
  RecordProperty("steps", static_cast<int>(steps.load()));
}

}  // namespace
}  // namespace iomap::dax
