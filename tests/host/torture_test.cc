// Plain stores and read(2) into one mapped file, against punch, collapse, insert and fsync from
// other threads: no store that an fsync has promised is lost, whatever moves under it.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dax/host_mapping.h"
#include "dax/io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/host/host_mapping_fixture.h"
#include "tests/support/environment.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_directory.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::IsOk;

constexpr uint64_t kFilePages = (uint64_t{64} << 20) / kPageBytes;
constexpr uint64_t kDeviceBytes = uint64_t{96} << 20;
// Where pages are punched out and shifts begin; writers store behind it.
constexpr uint64_t kPunchedPages = kFilePages / 4;
// A page may be met one page earlier while a collapse waits for its insert.
constexpr uint64_t kMostShift = 1;

// Between shifts, which unmap most of the file: without, hardly a store finds its page.
constexpr auto kPause = std::chrono::microseconds(1000);

// Stores that a writer has made and nobody has looked for yet: more of them wait.
constexpr size_t kMostPending = 256;

struct Stored {
  uint64_t page;
  uint64_t value;
};

// Each writer has a word of its own in every page: what it stores there, nobody else changes.
class Writer {
 public:
  Writer(HostMapping& mapping, size_t number, bool by_read)
      : mapping_(mapping), number_(number), random_(number) {
    if (by_read) {
      EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0);
    }
  }
  ~Writer() {
    if (by_read()) {
      close(ends_[0]);
      close(ends_[1]);
    }
  }

  // One store to a random page; false when enough wait to be looked for.
  bool Step() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (pending_.size() >= kMostPending) {
        return false;
      }
    }
    const uint64_t page =
        kPunchedPages + 1 + random_() % (kFilePages - kPunchedPages - 2 - 2 * kMostShift);
    const uint64_t value = ++last_value_;
    Store(page, value);
    const std::lock_guard<std::mutex> lock(mutex_);
    pending_.push_back({page, value});
    return true;
  }

  // What has been stored: an fsync that begins from now on promises it.
  std::vector<Stored> TakePending() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(pending_, {});
  }

  size_t number() const { return number_; }

 private:
  bool by_read() const { return ends_[1] >= 0; }

  void Store(uint64_t page, uint64_t value) {
    std::byte* const bytes = mapping_.bytes().data() + page * kPageBytes;
    std::byte* const word = bytes + number_ * sizeof value;
    if (!by_read()) {
      __atomic_store_n(reinterpret_cast<uint64_t*>(word), value, __ATOMIC_RELAXED);
      return;
    }
    ASSERT_EQ(write(ends_[1], &value, sizeof value), static_cast<ssize_t>(sizeof value));
    while (read(ends_[0], word, sizeof value) != static_cast<ssize_t>(sizeof value)) {
      // Without the privilege the page must be there: a store of the writer's own brings it.
      ASSERT_EQ(errno, EFAULT);
      ASSERT_TRUE(mapping_.tracking() == Tracking::kAsyncUser ||
                  mapping_.tracking() == Tracking::kSignals);
      __atomic_store_n(reinterpret_cast<uint64_t*>(word), value, __ATOMIC_RELAXED);
    }
  }

  HostMapping& mapping_;
  const size_t number_;
  std::mt19937_64 random_;
  uint64_t last_value_ = 0;
  std::array<int, 2> ends_ = {-1, -1};
  std::mutex mutex_;
  std::vector<Stored> pending_;  // guarded by mutex_
};

class HostTorture : public testing::TestWithParam<Tracking> {
 protected:
  void SetUp() override {
    tests::MirroredRam made = tests::MakeMirroredRam(directory_ / "device", kDeviceBytes);
    ram_ = std::move(made.filesystem);
    device_ = made.device;
    IOMAP_SKIP_IF(std::string(HostMapping::CanTrack(GetParam(), *device_).message()));
    file_ = *ram_->OpenFile(*ram_->Create(ram_->root(), "f", S_IFREG | 0644));
    ASSERT_THAT(dax::Write(*file_, 0, std::vector<std::byte>(kFilePages * kPageBytes)), IsOk());
    auto mapping = HostMapping::Make(file_, {.tracking = GetParam()});
    ASSERT_THAT(mapping, IsOk());
    mapping_ = *std::move(mapping);
    for (size_t i = 0; i < 3; ++i) {
      writers_.push_back(std::make_unique<Writer>(*mapping_, i, /*by_read=*/i == 2));
    }
  }

  // Makes durable what the writers have stored until now, and looks for it on the medium.
  void FsyncAndLook() {
    std::vector<std::vector<Stored>> promised;
    for (const auto& writer : writers_) {
      promised.push_back(writer->TakePending());
    }
    ASSERT_THAT(mapping_->Fsync(), IsOk());
    ++fsyncs_;
    // While extents cannot change, so that what is looked at is the file's.
    const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
    for (size_t i = 0; i < promised.size(); ++i) {
      for (const Stored& stored : promised[i]) {
        // What came later to a neighbour that now is where this one was has a larger value.
        ASSERT_TRUE(IsDurable(i, stored))
            << "writer " << i << ", page " << stored.page << ", value " << stored.value;
        ++looked_for_;
      }
    }
  }

  bool IsDurable(size_t writer, const Stored& stored) {
    for (uint64_t near = stored.page - kMostShift; near <= stored.page + kMostShift; ++near) {
      const ByteRange word{near * kPageBytes + writer * sizeof stored.value, sizeof stored.value};
      const auto mapped = FirstMapping(*file_, &iomap::File::MapForRead, word);
      if (!mapped.ok() || mapped->type != MappingType::kMapped) {
        continue;
      }
      uint64_t found = 0;
      const std::vector<std::byte> bytes =
          device_->Durable(mapped->AddressOf(word.offset), sizeof found);
      std::memcpy(&found, bytes.data(), sizeof found);
      if (found >= stored.value) {
        return true;
      }
    }
    return false;
  }

  const tests::TemporaryDirectory directory_ = *tests::TemporaryDirectory::Make();
  std::unique_ptr<ram::Filesystem> ram_;
  tests::MirrorDevice* device_ = nullptr;
  std::shared_ptr<File> file_;
  std::unique_ptr<HostMapping> mapping_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::atomic<uint64_t> fsyncs_ = 0;
  std::atomic<uint64_t> looked_for_ = 0;
};

// All that can follow changes of extents.
INSTANTIATE_TEST_SUITE_P(Each, HostTorture,
                         testing::Values(Tracking::kAsync, Tracking::kAsyncUser,
                                         Tracking::kWriteFaults, Tracking::kSignals),
                         tests::NameOfTracking);

TEST_P(HostTorture, NoStoreIsLost) {
  const auto seconds =
      std::chrono::seconds(tests::NumberFromEnvironment("IOMAP_TORTURE_SECONDS", 1));
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> punches = 0;
  std::atomic<uint64_t> shifts = 0;
  std::vector<std::thread> threads;
  for (const auto& writer : writers_) {
    threads.emplace_back([&, one = writer.get()] {
      while (!stop && !testing::Test::HasFatalFailure()) {
        if (!one->Step()) {
          std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(11);
    while (!stop && !testing::Test::HasFatalFailure()) {
      const uint64_t page = random() % (kPunchedPages - 8);
      EXPECT_THAT(file_->Fallocate(FallocateMode::kPunchHole, {page * kPageBytes, 4 * kPageBytes}),
                  IsOk());
      mapping_->bytes()[page * kPageBytes] = std::byte{1};  // comes back elsewhere
      ++punches;
      FsyncAndLook();
    }
  });
  threads.emplace_back([&] {
    const ByteRange page{kPunchedPages * kPageBytes, kPageBytes};
    while (!stop && !testing::Test::HasFatalFailure()) {
      EXPECT_THAT(file_->Fallocate(FallocateMode::kCollapseRange, page), IsOk());
      EXPECT_THAT(file_->Fallocate(FallocateMode::kInsertRange, page), IsOk());
      ++shifts;
      FsyncAndLook();
      std::this_thread::sleep_for(kPause);
    }
  });
  std::this_thread::sleep_for(seconds);
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::printf("%llu fsyncs, %llu punches, %llu collapses and inserts, %llu stores looked for\n",
              static_cast<unsigned long long>(fsyncs_), static_cast<unsigned long long>(punches),
              static_cast<unsigned long long>(shifts),
              static_cast<unsigned long long>(looked_for_));
  EXPECT_GT(fsyncs_, 0);
  EXPECT_GT(looked_for_, 0);
  EXPECT_GT(punches, 0);
  EXPECT_GT(shifts, 0);
}

}  // namespace
}  // namespace iomap::dax
