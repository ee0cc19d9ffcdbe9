#include "dax/pmem_device.h"

#include <fcntl.h>
#include <libpmem.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "dax/racing_copy.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

constexpr unsigned kNonTemporal = PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL;

#if defined(__x86_64__)
// True when the environment has `variable` with that value.
bool Says(const char* variable, absl::string_view wanted) {
  const char* const value = std::getenv(variable);
  return value != nullptr && value == wanted;
}

// What libpmem flushes with, which it does not tell: by libpmem(7), the best instruction that the
// processor has and the environment does not forbid.
absl::string_view FlushInstruction() {
  const bool caches_persist = pmem_has_auto_flush() == 1 && !Says("PMEM_NO_FLUSH", "0");
  if (caches_persist || Says("PMEM_NO_FLUSH", "1")) {
    return "sfence alone, by libpmem";
  }
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  constexpr unsigned kClflushopt = 1U << 23;
  constexpr unsigned kClwb = 1U << 24;
  if ((b & kClwb) != 0 && !Says("PMEM_NO_CLWB", "1")) {
    return "clwb and sfence, by libpmem";
  }
  if ((b & kClflushopt) != 0 && !Says("PMEM_NO_CLFLUSHOPT", "1")) {
    return "clflushopt and sfence, by libpmem";
  }
  return "clflush and sfence, by libpmem";
}
#else
absl::string_view FlushInstruction() { return "cache line write-back and fence, by libpmem"; }
#endif

}  // namespace

absl::StatusOr<std::unique_ptr<PmemDevice>> PmemDevice::Open(const std::string& path,
                                                             uint64_t image_offset) {
  size_t size = 0;
  int is_pmem = 0;
  void* const mapping =
      pmem_map_file(path.c_str(), /*len=*/0, /*flags=*/0, /*mode=*/0, &size, &is_pmem);
  if (mapping == nullptr) {
    return absl::UnavailableError(absl::StrCat("pmem_map_file: ", pmem_errormsg()));
  }
  if (image_offset > size) {
    pmem_unmap(mapping, size);
    return absl::OutOfRangeError(
        absl::StrCat("image offset ", image_offset, " is past the end of the file, ", size));
  }
  const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);  // libpmem keeps none
  if (descriptor < 0) {
    const int error = errno;
    pmem_unmap(mapping, size);
    return absl::UnavailableError(absl::StrCat("open: ", std::strerror(error)));
  }
  return std::unique_ptr<PmemDevice>(new PmemDevice(descriptor, static_cast<std::byte*>(mapping),
                                                    size, image_offset, is_pmem != 0));
}

PmemDevice::PmemDevice(int descriptor, std::byte* mapping, size_t mapping_size,
                       size_t skipped_bytes, bool is_pmem)
    : descriptor_(descriptor),
      mapping_(mapping),
      mapping_size_(mapping_size),
      skipped_bytes_(skipped_bytes),
      is_pmem_(is_pmem) {
  set_bytes(absl::MakeConstSpan(mapping, mapping_size).subspan(skipped_bytes));
}

PmemDevice::~PmemDevice() {
  pmem_unmap(mapping_, mapping_size_);
  close(descriptor_);
}

std::optional<HostMemory> PmemDevice::host_memory() const {
  return HostMemory{descriptor_, skipped_bytes_, is_pmem_};
}

absl::string_view PmemDevice::kind() const {
  return is_pmem_ ? "persistent memory" : "file in the page cache";
}

absl::string_view PmemDevice::flush() const {
  return is_pmem_ ? FlushInstruction() : "msync: not persistent memory";
}

absl::Status PmemDevice::Store(uint64_t address, absl::Span<const std::byte> bytes) {
  CopyRacing(At(address), bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status PmemDevice::StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) {
  if (is_pmem_) {
    pmem_memcpy(At(address), bytes.data(), bytes.size(), kNonTemporal);
    return absl::OkStatus();
  }
  IOMAP_RETURN_IF_ERROR(Store(address, bytes));
  FlushLines(ByteRange{address, bytes.size()});  // after it: a drain of another thread may come
  return absl::OkStatus();
}

absl::Status PmemDevice::StoreZeroes(const ByteRange& range) {
  if (is_pmem_) {
    pmem_memset(At(range.offset), 0, range.length, kNonTemporal);
    return absl::OkStatus();
  }
  return Device::StoreZeroes(range);
}

void PmemDevice::FlushLines(const ByteRange& range) {
  if (is_pmem_) {
    pmem_flush(At(range.offset), range.length);
  } else {
    msync_queue_.Note(ByteRange{skipped_bytes_ + range.offset, range.length});
  }
}

absl::Status PmemDevice::DrainFlushed() {
  if (is_pmem_) {
    pmem_drain();
    return absl::OkStatus();
  }
  return msync_queue_.Drain(mapping_);
}

}  // namespace iomap::dax
