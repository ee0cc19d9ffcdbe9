#include "dax/userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace iomap::dax {
namespace {

// Younger than the headers of Debian 12 (Linux 6.1).
constexpr uint64_t kFeatureWpUnpopulated = uint64_t{1} << 13;  // Linux 6.4
constexpr uint64_t kFeatureWpAsync = uint64_t{1} << 15;        // Linux 6.7

absl::Status Refused(absl::string_view what, const MemoryRange& pages) {
  return absl::InternalError(absl::StrCat(what, " of ", pages.bytes, " bytes at 0x",
                                          absl::Hex(pages.begin), ": ", std::strerror(errno)));
}

absl::Status Missing(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Userfault>> Userfault::Open(Kind kind, Faults faults) {
  const int flags =
      O_CLOEXEC | O_NONBLOCK | (faults == Faults::kUserMode ? UFFD_USER_MODE_ONLY : 0);
  const int descriptor = static_cast<int>(syscall(SYS_userfaultfd, flags));
  if (descriptor < 0) {
    return Missing("userfaultfd");
  }
  auto opened = std::unique_ptr<Userfault>(new Userfault(descriptor));
  uffdio_api api = {};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
                 UFFD_FEATURE_WP_HUGETLBFS_SHMEM | kFeatureWpUnpopulated;
  if (kind == Kind::kAsync) {
    api.features |= kFeatureWpAsync | UFFD_FEATURE_MINOR_SHMEM;
  }
  if (ioctl(descriptor, UFFDIO_API, &api) != 0) {
    return Missing(kind == Kind::kAsync ? "userfaultfd with asynchronous write-protection"
                                        : "userfaultfd with write-protection of shared memory");
  }
  return opened;
}

Userfault::~Userfault() { close(descriptor_); }

absl::Status Userfault::Register(const MemoryRange& pages, Trap trap) {
  uffdio_register request = {};
  request.range = {pages.begin, pages.bytes};
  request.mode = UFFDIO_REGISTER_MODE_WP;
  request.mode |= trap == Trap::kMissing ? UFFDIO_REGISTER_MODE_MISSING : 0;
  request.mode |= trap == Trap::kFrozen ? UFFDIO_REGISTER_MODE_MINOR : 0;
  return ioctl(descriptor_, UFFDIO_REGISTER, &request) == 0 ? absl::OkStatus()
                                                            : Refused("UFFDIO_REGISTER", pages);
}

absl::Status Userfault::WriteProtect(const MemoryRange& pages) {
  return SetProtection(pages, UFFDIO_WRITEPROTECT_MODE_WP);
}

absl::Status Userfault::AllowStores(const MemoryRange& pages) {
  return SetProtection(pages, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
}

absl::Status Userfault::SetProtection(const MemoryRange& pages, uint64_t mode) {
  uffdio_writeprotect request = {};
  request.range = {pages.begin, pages.bytes};
  request.mode = mode;
  int result = 0;
  do {
    result = ioctl(descriptor_, UFFDIO_WRITEPROTECT, &request);
  } while (result != 0 && errno == EAGAIN);  // while an mremap waits for its event to be read
  return result == 0 ? absl::OkStatus() : Refused("UFFDIO_WRITEPROTECT", pages);
}

void Userfault::Wake(const MemoryRange& pages) {
  uffdio_range range = {pages.begin, pages.bytes};
  ioctl(descriptor_, UFFDIO_WAKE, &range);
}

std::optional<Userfault::Fault> Userfault::Next() {
  uffd_msg message = {};
  while (read(descriptor_, &message, sizeof message) == sizeof message) {
    if (message.event == UFFD_EVENT_PAGEFAULT) {
      const uint64_t stores = UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP;
      return Fault{message.arg.pagefault.address, (message.arg.pagefault.flags & stores) != 0};
    }
  }
  return std::nullopt;
}

}  // namespace iomap::dax
