// What mapped pages and DAX writes cost: write-back by the number of entries, flushed lines by the
// number of dirty pages, and writes against libpmem's own copy. tools/bench runs it and prints the
// ratios.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <libpmem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ram/filesystem.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/pmem_device.h"
#include "dax/recording_device.h"
#include "dax/soft_mapping.h"
#include "iomap/status_macros.h"
#include "tests/bench/registration.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kFewEntries = 10;
constexpr uint64_t kManyEntries = 10'000'000;
constexpr uint64_t kDevicePages = 256;  // that the entries lie on, again and again
constexpr uint64_t kFileBytes = uint64_t{64} << 20;
constexpr uint64_t kSmallWrite = 4096;
constexpr uint64_t kLargeWrite = uint64_t{2} << 20;
constexpr uint64_t kRandomPages = 1024;
constexpr int kRandomStores = 300;

struct Opened {
  std::unique_ptr<ram::Filesystem> filesystem;
  std::shared_ptr<dax::File> file;
};

absl::StatusOr<Opened> OpenFileOn(std::unique_ptr<dax::Device> device) {
  dax::DeviceSet devices;
  devices.push_back(std::move(device));
  Opened opened;
  IOMAP_ASSIGN_OR_RETURN(opened.filesystem, ram::Filesystem::Make(std::move(devices)));
  IOMAP_ASSIGN_OR_RETURN(
      const InodeNumber inode,
      opened.filesystem->Create(opened.filesystem->root(), "file", S_IFREG | 0644));
  IOMAP_ASSIGN_OR_RETURN(opened.file, opened.filesystem->OpenFile(inode));
  return opened;
}

// --- One dirty page among many clean ones.

absl::Status TimeOneDirtyPage(benchmark::State& state, uint64_t entries) {
  IOMAP_ASSIGN_OR_RETURN(const Opened opened,
                         OpenFileOn(std::make_unique<dax::MemoryDevice>(
                             std::vector<std::byte>(kDevicePages * dax::kPageBytes))));
  dax::AddressSpace& space = opened.file->address_space();
  const InvalidateShared invalidate = opened.file->locks().LockInvalidateShared();
  const auto lock = [&](uint64_t page) {
    return space.LockEntry(invalidate, page * dax::kPageBytes, dax::PageSize::kBase);
  };
  const auto entry = [](uint64_t page) {
    return dax::Entry{.kind = dax::EntryKind::kPresent,
                      .address = page % kDevicePages * dax::kPageBytes};
  };
  for (uint64_t page = 0; page < entries; ++page) {
    lock(page)->Set(entry(page));
  }
  // The same page each time: how deep it lies is asked for, not what a cache miss costs.
  const uint64_t page = entries / 2;
  for (auto iteration : state) {
    (void)iteration;
    lock(page)->SetDirty(entry(page));
    uint64_t walked = 0;
    space.ForEachLockedDirty(ByteRange::All(),
                             [&](const dax::LockedRun& run) { walked += run.slots.size(); });
    if (walked != 1) {
      return absl::InternalError(absl::StrCat(walked, " dirty entries, not 1"));
    }
  }
  return absl::OkStatus();
}

// --- What an fsync flushes.

// The lines of the device that events from `first` on have flushed, each as often as it was.
uint64_t FlushedLines(const dax::RecordingDevice& device, size_t first) {
  uint64_t lines = 0;
  for (size_t i = first; i < device.trace().size(); ++i) {
    if (device.trace()[i].kind == dax::DeviceEvent::Kind::kFlush) {
      lines += device.trace()[i].range.AlignOutward(dax::kLineBytes).length / dax::kLineBytes;
    }
  }
  return lines;
}

absl::Status TimeRandomStores(benchmark::State& state) {
  uint64_t lines = 0;
  uint64_t pages = 0;
  std::mt19937_64 random(1);
  for (auto iteration : state) {
    (void)iteration;
    auto recording = std::make_unique<dax::RecordingDevice>(std::make_unique<dax::MemoryDevice>(
        std::vector<std::byte>(2 * kRandomPages * dax::kPageBytes)));
    dax::RecordingDevice& device = *recording;
    IOMAP_ASSIGN_OR_RETURN(const Opened opened, OpenFileOn(std::move(recording)));
    IOMAP_RETURN_IF_ERROR(dax::Write(
        *opened.file, 0, std::vector<std::byte>(kRandomPages * dax::kPageBytes, std::byte{1})));
    dax::SoftMapping mapping(opened.file);
    const size_t before = device.trace().size();
    std::set<uint64_t> dirtied;
    for (int i = 0; i < kRandomStores; ++i) {
      const uint64_t length = 1 + random() % 3000;
      const uint64_t offset = random() % (kRandomPages * dax::kPageBytes - length);
      IOMAP_RETURN_IF_ERROR(mapping.Store(offset, std::vector<std::byte>(length, std::byte{2})));
      dirtied.insert(offset / dax::kPageBytes);
      dirtied.insert((offset + length - 1) / dax::kPageBytes);
      if (i % 50 == 49) {
        IOMAP_RETURN_IF_ERROR(mapping.Fsync());
        pages += dirtied.size();
        dirtied.clear();
      }
    }
    lines += FlushedLines(device, before);
  }
  constexpr double kLinesOfAPage = static_cast<double>(dax::kPageBytes) / dax::kLineBytes;
  state.counters["flushed"] =
      static_cast<double>(lines) / (kLinesOfAPage * static_cast<double>(pages));
  return absl::OkStatus();
}

// --- Writes to a file that is written already.

// Times `write(offset)` at random offsets that are multiples of `bytes`, after one at each, so that
// no page is touched for the first time and no block allocated.
template <typename Write>
absl::Status TimeWrites(benchmark::State& state, uint64_t bytes, Write&& write) {
  for (uint64_t offset = 0; offset < kFileBytes; offset += bytes) {
    IOMAP_RETURN_IF_ERROR(write(offset));
  }
  std::mt19937_64 random(1);
  for (auto iteration : state) {
    (void)iteration;
    IOMAP_RETURN_IF_ERROR(write(random() % (kFileBytes / bytes) * bytes));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
  return absl::OkStatus();
}

// A file that persistent memory is made of, as far as libpmem is told.
absl::StatusOr<std::string> MakeMemoryFile(const TemporaryDirectory& folder,
                                           const std::string& name) {
  const std::string path = folder / name;
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.is_open() || posix_fallocate(file.get(), 0, kFileBytes + kLargeWrite) != 0) {
    return SystemError(path);
  }
  return path;
}

absl::Status TimeDaxWrites(benchmark::State& state, const TemporaryDirectory& folder,
                           uint64_t bytes) {
  const std::string path = folder / "device";
  IOMAP_ASSIGN_OR_RETURN(auto device, dax::PmemDevice::Open(path, 0));
  if (!device->is_persistent_memory()) {
    return absl::FailedPreconditionError("not persistent memory: set PMEM_IS_PMEM_FORCE=1");
  }
  IOMAP_ASSIGN_OR_RETURN(const Opened opened, OpenFileOn(std::move(device)));
  const std::vector<std::byte> source(bytes, std::byte{2});
  return TimeWrites(state, bytes,
                    [&](uint64_t offset) { return dax::Write(*opened.file, offset, source); });
}

absl::Status TimePmemCopies(benchmark::State& state, const TemporaryDirectory& folder,
                            uint64_t bytes) {
  const std::string path = folder / "mapped";
  size_t length = 0;
  int is_pmem = 0;
  void* const mapped = pmem_map_file(path.c_str(), 0, 0, 0, &length, &is_pmem);
  if (mapped == nullptr) {
    return SystemError(path);
  }
  const std::vector<std::byte> source(bytes, std::byte{2});
  const auto copy = [&](uint64_t offset) {
    pmem_memcpy_persist(static_cast<std::byte*>(mapped) + offset, source.data(), bytes);
    return absl::OkStatus();
  };
  absl::Status status = TimeWrites(state, bytes, copy);
  pmem_unmap(mapped, length);
  return status;
}

absl::Status RunAll() {
  IOMAP_ASSIGN_OR_RETURN(const TemporaryDirectory folder, TemporaryDirectory::Make());
  IOMAP_RETURN_IF_ERROR(MakeMemoryFile(folder, "device").status());
  IOMAP_RETURN_IF_ERROR(MakeMemoryFile(folder, "mapped").status());
  Register("one dirty page of 10 million/ram/iomap",
           [](benchmark::State& state) { return TimeOneDirtyPage(state, kManyEntries); });
  Register("one dirty page of 10 million/ram/one of 10",
           [](benchmark::State& state) { return TimeOneDirtyPage(state, kFewEntries); });
  Register("random stores and fsync/ram/iomap", &TimeRandomStores);
  for (const auto& [name, bytes] :
       {std::pair<const char*, uint64_t>{"4 KiB", kSmallWrite}, {"2 MiB", kLargeWrite}}) {
    const std::string prefix = absl::StrCat("DAX write of ", name, "/ram/");
    Register(prefix + "iomap", [&folder, bytes = bytes](benchmark::State& state) {
      return TimeDaxWrites(state, folder, bytes);
    });
    Register(prefix + "pmem_memcpy_persist", [&folder, bytes = bytes](benchmark::State& state) {
      return TimePmemCopies(state, folder, bytes);
    });
  }
  benchmark::RunSpecifiedBenchmarks();
  return absl::OkStatus();
}

}  // namespace
}  // namespace iomap::tests

int main(int argc, char** argv) {
  return iomap::tests::RunBenchmarks(argc, argv, &iomap::tests::RunAll);
}
