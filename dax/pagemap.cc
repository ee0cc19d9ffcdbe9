#include "dax/pagemap.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// Younger than the headers of Debian 12 (Linux 6.1); since Linux 6.7.
constexpr uint64_t kScanWriteProtect = 1;  // PM_SCAN_WP_MATCHING
constexpr uint64_t kPageIsWpAllowed = 1;   // PAGE_IS_WPALLOWED: registered, asynchronous
constexpr uint64_t kPageIsWritten = 2;     // PAGE_IS_WRITTEN
constexpr uint64_t kPageIsHuge = 64;       // PAGE_IS_HUGE

// struct pm_scan_arg and struct page_region.
struct ScanArguments {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
struct ScannedRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);

// With more room than the kernel's own buffer, a walk may be said to have ended before regions that
// it has returned.
constexpr size_t kRegionsAtATime = 512;

// Calls `found` for each run of pages that have all of `categories`.
absl::Status Scan(int descriptor, const MemoryRange& pages, uint64_t flags, uint64_t categories,
                  absl::FunctionRef<void(const MemoryRange&)> found) {
  std::array<ScannedRegion, kRegionsAtATime> regions;
  ScanArguments arguments = {};
  arguments.size = sizeof arguments;
  arguments.flags = flags;
  arguments.end = pages.end();
  arguments.vec = reinterpret_cast<uint64_t>(regions.data());
  arguments.vec_len = regions.size();
  arguments.category_mask = categories;
  arguments.return_mask = categories;
  for (uint64_t begin = pages.begin; begin < pages.end(); begin = arguments.walk_end) {
    arguments.start = begin;
    const int count = ioctl(descriptor, kPagemapScan, &arguments);
    if (count < 0) {
      const int error = errno;
      const std::string message = absl::StrCat("PAGEMAP_SCAN of ", pages.bytes, " bytes at 0x",
                                               absl::Hex(pages.begin), ": ", std::strerror(error));
      return error == ENOTTY ? absl::UnavailableError(message) : absl::InternalError(message);
    }
    for (int i = 0; i < count; ++i) {
      found(MemoryRange{regions[i].start, regions[i].end - regions[i].start});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pagemap>> Pagemap::Open() {
  const int descriptor = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return SystemError("/proc/self/pagemap");
  }
  return std::unique_ptr<Pagemap>(new Pagemap(descriptor));
}

Pagemap::~Pagemap() { close(descriptor_); }

absl::Status Pagemap::TakeWritten(const MemoryRange& pages,
                                  absl::FunctionRef<void(const MemoryRange&)> written) const {
  return Scan(descriptor_, pages, kScanWriteProtect, kPageIsWritten | kPageIsWpAllowed, written);
}

absl::StatusOr<size_t> Pagemap::HugeBytes(const MemoryRange& pages) const {
  size_t bytes = 0;
  IOMAP_RETURN_IF_ERROR(Scan(descriptor_, pages, 0, kPageIsHuge,
                             [&](const MemoryRange& found) { bytes += found.bytes; }));
  return bytes;
}

}  // namespace iomap::dax
