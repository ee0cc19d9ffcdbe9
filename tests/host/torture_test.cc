// Plain stores and read(2) into one mapped file, against punch, collapse, insert and fsync from
// other threads: no store that an fsync has promised is lost, whatever moves under it.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ram/filesystem.h"
#include "dax/host_mapping.h"
#include "dax/io.h"
#include "dax/pmem_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/host/mirror_device.h"
#include "tests/support/bytes.h"
#include "tests/support/environment.h"
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

// Between changes of extents, which keep page faults out.
constexpr auto kPause = std::chrono::microseconds(500);

// Each writer has a word of its own in every page: what it stores there, nobody else changes.
class Writer {
 public:
  Writer(HostMapping& mapping, const tests::MirrorDevice& device, size_t number, bool by_read)
      : mapping_(mapping), device_(device), number_(number), random_(number) {
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

  // Stores to some pages, makes them durable, and looks for each value on the medium.
  void Step() {
    constexpr size_t kStores = 16;
    std::vector<std::pair<uint64_t, uint64_t>> stored;
    for (size_t i = 0; i < kStores; ++i) {
      const uint64_t page =
          kPunchedPages + 1 + random_() % (kFilePages - kPunchedPages - 2 - 2 * kMostShift);
      const uint64_t value = ++last_value_;
      Store(page, value);
      stored.emplace_back(page, value);
    }
    ASSERT_THAT(mapping_.Fsync(), IsOk());
    ++fsyncs;
    for (const auto& [page, value] : stored) {
      // What came later to a neighbour that now is where this one was has a larger value.
      ASSERT_TRUE(IsDurable(page, value))
          << "writer " << number_ << ", page " << page << ", value " << value;
    }
  }

  std::atomic<uint64_t> fsyncs = 0;

 private:
  bool by_read() const { return ends_[1] >= 0; }

  void Store(uint64_t page, uint64_t value) {
    std::byte* const word = mapping_.bytes().data() + page * kPageBytes + number_ * sizeof value;
    if (by_read()) {
      ASSERT_EQ(write(ends_[1], &value, sizeof value), static_cast<ssize_t>(sizeof value));
      ASSERT_EQ(read(ends_[0], word, sizeof value), static_cast<ssize_t>(sizeof value));
    } else {
      __atomic_store_n(reinterpret_cast<uint64_t*>(word), value, __ATOMIC_RELAXED);
    }
  }

  bool IsDurable(uint64_t page, uint64_t value) {
    // While extents cannot change, so that what is looked at is the file's.
    const InvalidateShared invalidate = mapping_.file().locks().LockInvalidateShared();
    for (uint64_t near = page - kMostShift; near <= page + kMostShift; ++near) {
      const ByteRange word{near * kPageBytes + number_ * sizeof value, sizeof value};
      const auto mapped = FirstMapping(mapping_.file(), &iomap::File::MapForRead, word);
      if (!mapped.ok() || mapped->type != MappingType::kMapped) {
        continue;
      }
      uint64_t found = 0;
      const std::vector<std::byte> bytes =
          device_.Durable(mapped->AddressOf(word.offset), sizeof found);
      std::memcpy(&found, bytes.data(), sizeof found);
      if (found >= value) {
        return true;
      }
    }
    return false;
  }

  HostMapping& mapping_;
  const tests::MirrorDevice& device_;
  const size_t number_;
  std::mt19937_64 random_;
  uint64_t last_value_ = 0;
  std::array<int, 2> ends_ = {-1, -1};
};

TEST(HostTorture, NoStoreIsLost) {
  const auto seconds =
      std::chrono::seconds(tests::NumberFromEnvironment("IOMAP_TORTURE_SECONDS", 2));
  const tests::TemporaryDirectory directory = *tests::TemporaryDirectory::Make();
  const std::string path = directory / "device";
  ASSERT_EQ(close(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), 0);
  ASSERT_EQ(truncate(path.c_str(), kDeviceBytes), 0);
  auto mirror = std::make_unique<tests::MirrorDevice>(*PmemDevice::Open(path, 0));
  const tests::MirrorDevice& device = *mirror;
  DeviceSet devices;
  devices.push_back(std::move(mirror));
  const auto ram = *ram::Filesystem::Make(std::move(devices));
  const auto file = *ram->OpenFile(*ram->Create(ram->root(), "f", S_IFREG | 0644));
  ASSERT_THAT(dax::Write(*file, 0, std::vector<std::byte>(kFilePages * kPageBytes)), IsOk());
  auto mapping = HostMapping::Make(file, {});
  ASSERT_THAT(mapping, IsOk());

  std::vector<std::unique_ptr<Writer>> writers;
  for (size_t i = 0; i < 3; ++i) {
    writers.push_back(std::make_unique<Writer>(**mapping, device, i, /*by_read=*/i == 2));
  }
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> punches = 0;
  std::atomic<uint64_t> shifts = 0;
  std::vector<std::thread> threads;
  for (const auto& writer : writers) {
    threads.emplace_back([&, one = writer.get()] {
      while (!stop && !testing::Test::HasFatalFailure()) {
        one->Step();
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(11);
    while (!stop) {
      const uint64_t page = random() % (kPunchedPages - 8);
      EXPECT_THAT(file->Fallocate(FallocateMode::kPunchHole, {page * kPageBytes, 4 * kPageBytes}),
                  IsOk());
      (*mapping)->bytes()[page * kPageBytes] = std::byte{1};  // comes back elsewhere
      ++punches;
      std::this_thread::sleep_for(kPause);
    }
  });
  threads.emplace_back([&] {
    const ByteRange page{kPunchedPages * kPageBytes, kPageBytes};
    while (!stop) {
      EXPECT_THAT(file->Fallocate(FallocateMode::kCollapseRange, page), IsOk());
      EXPECT_THAT(file->Fallocate(FallocateMode::kInsertRange, page), IsOk());
      ++shifts;
      std::this_thread::sleep_for(kPause);
    }
  });
  std::this_thread::sleep_for(seconds);
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  uint64_t fsyncs = 0;
  for (const auto& writer : writers) {
    fsyncs += writer->fsyncs;
  }
  std::printf("%llu fsyncs, %llu punches, %llu collapses and inserts\n",
              static_cast<unsigned long long>(fsyncs), static_cast<unsigned long long>(punches),
              static_cast<unsigned long long>(shifts));
  EXPECT_GT(fsyncs, 0);
  EXPECT_GT(punches, 0);
  EXPECT_GT(shifts, 0);
}

}  // namespace
}  // namespace iomap::dax
