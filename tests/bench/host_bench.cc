// What files cost that are mapped into the process: first stores, fsync by the number of dirty
// pages and by the size of the mapping, and stores to holes, for each way of tracking; against the
// raw mechanisms and the kernel's page cache. tools/bench runs it and prints the ratios.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <libpmem.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ram/filesystem.h"
#include "dax/host_mapping.h"
#include "dax/io.h"
#include "dax/pagemap.h"
#include "dax/pmem_device.h"
#include "dax/userfault.h"
#include "iomap/status_macros.h"
#include "tests/bench/registration.h"
#include "tests/support/command.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/skip.h"
#include "tests/support/system_error.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {
namespace {

using dax::kPageBytes;

constexpr uint64_t kSmall = uint64_t{64} << 20;  // of the file
constexpr uint64_t kLarge = uint64_t{1} << 30;
constexpr size_t kDirtyPages = 1000;
constexpr uint64_t kHolePages = 4096;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Pages of a file of `bytes`, each at most once.
class RandomPages {
 public:
  explicit RandomPages(uint64_t bytes) : pages_(bytes / kPageBytes) {
    for (uint64_t i = 0; i < pages_.size(); ++i) {
      pages_[i] = i;
    }
  }
  // Others each time.
  absl::Span<const uint64_t> Next(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      std::swap(pages_[i], pages_[i + random_() % (pages_.size() - i)]);
    }
    return absl::MakeConstSpan(pages_).first(count);
  }

 private:
  std::mt19937_64 random_{1};
  std::vector<uint64_t> pages_;
};

void StoreTo(std::byte* bytes, absl::Span<const uint64_t> pages) {
  for (const uint64_t page : pages) {
    *reinterpret_cast<volatile uint64_t*>(bytes + page * kPageBytes) = page;
  }
}

absl::StatusOr<std::string> MakeFile(const TemporaryDirectory& folder, const std::string& name,
                                     uint64_t bytes) {
  const std::string path = folder / name;
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open() || posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)) != 0) {
    return SystemError(path);
  }
  return path;
}

// A file of the project, mapped.
struct Mapped {
  std::unique_ptr<ram::Filesystem> filesystem = {};
  std::shared_ptr<dax::File> file = {};
  std::unique_ptr<dax::HostMapping> mapping = {};  // null: not mapped
};

absl::StatusOr<Mapped> MakeMapped(const TemporaryDirectory& folder, dax::Tracking tracking,
                                  uint64_t bytes, bool with_blocks) {
  IOMAP_ASSIGN_OR_RETURN(const std::string path,
                         MakeFile(folder, "device", bytes + dax::kHugePageBytes));
  IOMAP_ASSIGN_OR_RETURN(auto device, dax::PmemDevice::Open(path, 0));
  if (!device->is_persistent_memory()) {
    return absl::FailedPreconditionError("not persistent memory: set PMEM_IS_PMEM_FORCE=1");
  }
  dax::DeviceSet devices;
  devices.push_back(std::move(device));
  Mapped mapped;
  IOMAP_ASSIGN_OR_RETURN(mapped.filesystem, ram::Filesystem::Make(std::move(devices)));
  IOMAP_ASSIGN_OR_RETURN(
      const InodeNumber inode,
      mapped.filesystem->Create(mapped.filesystem->root(), "file", S_IFREG | 0644));
  IOMAP_ASSIGN_OR_RETURN(mapped.file, mapped.filesystem->OpenFile(inode));
  if (with_blocks) {
    IOMAP_RETURN_IF_ERROR(mapped.file->Fallocate(FallocateMode::kAllocate, {0, bytes}));
    const std::vector<std::byte> some(dax::kHugePageBytes, std::byte{1});
    for (uint64_t offset = 0; offset < bytes; offset += some.size()) {
      IOMAP_RETURN_IF_ERROR(dax::Write(*mapped.file, offset, some));
    }
  } else {
    IOMAP_RETURN_IF_ERROR(mapped.file->SetSize(bytes));
  }
  IOMAP_ASSIGN_OR_RETURN(mapped.mapping,
                         dax::HostMapping::Make(mapped.file, {.tracking = tracking}));
  return mapped;
}

// The mechanism alone: a file mapped whole, stores noted by the kernel.
class RawMapping {
 public:
  static absl::StatusOr<std::unique_ptr<RawMapping>> Make(const TemporaryDirectory& folder,
                                                          uint64_t bytes) {
    IOMAP_ASSIGN_OR_RETURN(const std::string path, MakeFile(folder, "raw", bytes));
    const FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC));
    auto raw = std::unique_ptr<RawMapping>(new RawMapping);
    IOMAP_ASSIGN_OR_RETURN(raw->memory_,
                           dax::MapFile(bytes, PROT_READ | PROT_WRITE, file.get(), 0));
    IOMAP_ASSIGN_OR_RETURN(raw->stores_, dax::Userfault::Open(dax::Userfault::Kind::kAsync,
                                                              dax::Userfault::Faults::kAll));
    IOMAP_ASSIGN_OR_RETURN(raw->pagemap_, dax::Pagemap::Open());
    IOMAP_RETURN_IF_ERROR(
        raw->stores_->Register(raw->memory_, dax::Userfault::Trap::kWriteProtected));
    IOMAP_RETURN_IF_ERROR(raw->stores_->WriteProtect(raw->memory_));
    return raw;
  }
  ~RawMapping() { dax::UnmapMemory(memory_); }

  std::byte* bytes() const { return static_cast<std::byte*>(dax::PointerTo(memory_.begin)); }

  // One scan, a flush of each run of pages, a drain.
  absl::Status ScanAndFlush(const ByteRange& range) {
    IOMAP_RETURN_IF_ERROR(pagemap_->TakeWritten(
        {memory_.begin + range.offset, range.length}, [](const dax::MemoryRange& written) {
          pmem_flush(dax::PointerTo(written.begin), written.bytes);
        }));
    pmem_drain();
    return absl::OkStatus();
  }

 private:
  RawMapping() = default;

  dax::MemoryRange memory_;
  std::unique_ptr<dax::Userfault> stores_;
  std::unique_ptr<dax::Pagemap> pagemap_;
};

// What is timed of dirtying pages and making them durable.
enum class Timed { kStores, kSync, kBoth };

// Stores to `count` random pages of the first `within` bytes, and `sync`, once each iteration.
template <typename Sync>
absl::Status TimeStoresAndSync(benchmark::State& state, std::byte* bytes, uint64_t within,
                               size_t count, Timed timed, Sync&& sync) {
  RandomPages pages(within);
  for (uint64_t page = 0; page < within / kPageBytes; ++page) {
    StoreTo(bytes, absl::MakeConstSpan(&page, 1));  // no page is touched for the first time
  }
  IOMAP_RETURN_IF_ERROR(sync());
  for (auto iteration : state) {
    (void)iteration;
    const absl::Span<const uint64_t> next = pages.Next(count);
    const Clock::time_point begin = Clock::now();
    StoreTo(bytes, next);
    const double stores = SecondsSince(begin);
    const Clock::time_point stored = Clock::now();
    IOMAP_RETURN_IF_ERROR(sync());
    const double synced = SecondsSince(stored);
    state.SetIterationTime(timed == Timed::kStores ? stores / static_cast<double>(count)
                           : timed == Timed::kSync ? synced
                                                   : stores + synced);
  }
  return absl::OkStatus();
}

struct Question {
  const char* name;
  uint64_t file_bytes;
  ByteRange synced;
  size_t dirty_pages;
  Timed timed;
};

constexpr Question kFirstStore = {"first store to a clean page", kSmall, ByteRange{0, kSmall},
                                  kDirtyPages, Timed::kStores};
constexpr Question kFsync = {"fsync of 1,000 dirty pages of 64 MiB", kSmall, ByteRange{0, kSmall},
                             kDirtyPages, Timed::kSync};
constexpr Question kStoresAndFsync = {"stores to 1,000 pages of 64 MiB and fsync", kSmall,
                                      ByteRange{0, kSmall}, kDirtyPages, Timed::kBoth};
constexpr Question kFsyncOfLarge = {"fsync of one dirty page of 1 GiB", kLarge,
                                    ByteRange{0, kLarge}, 1, Timed::kSync};
constexpr Question kMsyncOfLarge = {"msync of 2 MiB of 1 GiB, one page dirty", kLarge,
                                    ByteRange{0, dax::kHugePageBytes}, 1, Timed::kSync};

absl::Status TimeOurs(benchmark::State& state, const TemporaryDirectory& folder,
                      dax::Tracking tracking, const Question& question) {
  IOMAP_ASSIGN_OR_RETURN(const Mapped mapped,
                         MakeMapped(folder, tracking, question.file_bytes, /*with_blocks=*/true));
  const bool whole = question.synced.length == question.file_bytes;
  return TimeStoresAndSync(
      state, mapped.mapping->bytes().data(), question.synced.length, question.dirty_pages,
      question.timed,
      [&] { return whole ? mapped.mapping->Fsync() : mapped.mapping->Msync(question.synced); });
}

absl::Status TimeRaw(benchmark::State& state, const TemporaryDirectory& folder,
                     const Question& question) {
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<RawMapping> raw,
                         RawMapping::Make(folder, question.file_bytes));
  return TimeStoresAndSync(state, raw->bytes(), question.synced.length, question.dirty_pages,
                           question.timed, [&] { return raw->ScanAndFlush(question.synced); });
}

// A file of a kernel ext4 that lies on the same memory.
absl::Status TimeKernel(benchmark::State& state, const TemporaryDirectory& folder,
                        const Question& question) {
  IOMAP_ASSIGN_OR_RETURN(const std::string image, MakeFile(folder, "image", 3 * kSmall));
  IOMAP_RETURN_IF_ERROR(OutputOf({"mkfs.ext4", "-q", "-F", image}).status());
  const std::string mount_point = folder / "mount";
  mkdir(mount_point.c_str(), 0755);
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<LoopMount> mount,
                         LoopMount::Make(image, mount_point, "ext4", MountMode::kReadWrite, ""));
  const std::string path = mount_point + "/file";
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const std::vector<std::byte> some(question.file_bytes, std::byte{1});
  if (!file.is_open() || write(file.get(), some.data(), some.size()) < 0) {
    return SystemError(path);
  }
  IOMAP_ASSIGN_OR_RETURN(const dax::MemoryRange memory,
                         dax::MapFile(question.file_bytes, PROT_READ | PROT_WRITE, file.get(), 0));
  absl::Status status = TimeStoresAndSync(
      state, static_cast<std::byte*>(dax::PointerTo(memory.begin)), question.file_bytes,
      question.dirty_pages, question.timed,
      [&] { return fsync(file.get()) == 0 ? absl::OkStatus() : SystemError(path); });
  dax::UnmapMemory(memory);
  return status;
}

absl::Status TimeFsyncUnmapped(benchmark::State& state, const TemporaryDirectory& folder) {
  IOMAP_ASSIGN_OR_RETURN(Mapped mapped,
                         MakeMapped(folder, dax::Tracking::kAsync, kSmall, /*with_blocks=*/true));
  mapped.mapping = nullptr;
  IOMAP_RETURN_IF_ERROR(mapped.file->Fsync(ByteRange::All(), SyncKind::kFile));
  constexpr int kCalls = 1000;
  for (auto iteration : state) {
    (void)iteration;
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < kCalls; ++i) {
      IOMAP_RETURN_IF_ERROR(mapped.file->Fsync(ByteRange::All(), SyncKind::kFile));
    }
    state.SetIterationTime(SecondsSince(begin) / kCalls);
  }
  return absl::OkStatus();
}

// One store to each page of a hole, in sequence, by the page.
absl::Status TimeHole(benchmark::State& state, const TemporaryDirectory& folder,
                      dax::Tracking tracking) {
  IOMAP_ASSIGN_OR_RETURN(const Mapped mapped,
                         MakeMapped(folder, tracking, kSmall, /*with_blocks=*/false));
  uint64_t first = 0;
  for (auto iteration : state) {
    (void)iteration;
    if (first + kHolePages > kSmall / kPageBytes) {
      first = 0;
      IOMAP_RETURN_IF_ERROR(mapped.file->Fallocate(FallocateMode::kPunchHole, {0, kSmall}));
    }
    const Clock::time_point begin = Clock::now();
    for (uint64_t page = first; page < first + kHolePages; ++page) {
      StoreTo(mapped.mapping->bytes().data(), absl::MakeConstSpan(&page, 1));
    }
    state.SetIterationTime(SecondsSince(begin) / static_cast<double>(kHolePages));
    first += kHolePages;
  }
  return absl::OkStatus();
}

void RegisterAll(const TemporaryDirectory& folder) {
  for (const dax::Tracking tracking : dax::AllTrackings()) {
    const auto name = [&](const char* question) {
      return absl::StrCat(question, "/", dax::TrackingName(tracking), "/iomap");
    };
    for (const Question& question :
         {kFirstStore, kFsync, kStoresAndFsync, kFsyncOfLarge, kMsyncOfLarge}) {
      if (tracking == dax::Tracking::kNothing && question.file_bytes == kLarge) {
        continue;  // flushes all of it
      }
      RegisterTimed(name(question.name), [&folder, tracking, question](benchmark::State& state) {
        return TimeOurs(state, folder, tracking, question);
      });
    }
    if (tracking != dax::Tracking::kNothing) {
      RegisterTimed(name("store to a page of a hole, in sequence"),
                    [&folder, tracking](benchmark::State& state) {
                      return TimeHole(state, folder, tracking);
                    });
    }
  }
  for (const Question& question :
       {kFirstStore, kFsync, kStoresAndFsync, kFsyncOfLarge, kMsyncOfLarge}) {
    RegisterTimed(
        absl::StrCat(question.name, "/raw mechanism"),
        [&folder, question](benchmark::State& state) { return TimeRaw(state, folder, question); });
  }
  RegisterTimed("fsync, nothing mapped/iomap",
                [&folder](benchmark::State& state) { return TimeFsyncUnmapped(state, folder); });
  RegisterTimed(
      absl::StrCat(kStoresAndFsync.name, "/kernel ext4"),
      [&folder](benchmark::State& state) { return TimeKernel(state, folder, kStoresAndFsync); });
}

absl::Status RunAll() {
  if (const std::string why = WhyNoMount(); !why.empty()) {
    return absl::FailedPreconditionError(why);
  }
  IOMAP_ASSIGN_OR_RETURN(const TemporaryDirectory folder, TemporaryDirectory::Make());
  RegisterAll(folder);
  benchmark::RunSpecifiedBenchmarks();
  return absl::OkStatus();
}

}  // namespace
}  // namespace iomap::tests

int main(int argc, char** argv) {
  return iomap::tests::RunBenchmarks(argc, argv, &iomap::tests::RunAll);
}
