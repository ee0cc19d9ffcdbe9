#include "tests/bench/kernel_fiemap.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "iomap/status_macros.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

fiemap& HeaderIn(std::vector<uint64_t>& buffer) {
  return *reinterpret_cast<fiemap*>(buffer.data());
}

}  // namespace

KernelFiemap::KernelFiemap(int descriptor, uint32_t extents)
    : descriptor_(descriptor),
      extents_(extents),
      buffer_((sizeof(fiemap) + extents * sizeof(fiemap_extent)) / sizeof(uint64_t) + 1) {}

absl::Status KernelFiemap::Ask(uint64_t offset, uint64_t length) {
  fiemap& request = HeaderIn(buffer_);
  request.fm_start = offset;
  request.fm_length = length;
  request.fm_flags = 0;
  request.fm_extent_count = extents_;
  request.fm_mapped_extents = 0;
  if (ioctl(descriptor_, FS_IOC_FIEMAP, &request) != 0) {
    return SystemError("FIEMAP");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> KernelFiemap::AddressOf(uint64_t offset) {
  IOMAP_RETURN_IF_ERROR(Ask(offset, 1));
  const fiemap& answer = HeaderIn(buffer_);
  if (answer.fm_mapped_extents == 0) {
    return 0;
  }
  return answer.fm_extents[0].fe_physical + (offset - answer.fm_extents[0].fe_logical);
}

absl::StatusOr<size_t> KernelFiemap::CountExtents() {
  size_t count = 0;
  uint64_t offset = 0;
  while (true) {
    IOMAP_RETURN_IF_ERROR(Ask(offset, FIEMAP_MAX_OFFSET - offset));
    const fiemap& answer = HeaderIn(buffer_);
    if (answer.fm_mapped_extents == 0) {
      return count;
    }
    count += answer.fm_mapped_extents;
    const fiemap_extent& last = answer.fm_extents[answer.fm_mapped_extents - 1];
    if ((last.fe_flags & FIEMAP_EXTENT_LAST) != 0) {
      return count;
    }
    offset = last.fe_logical + last.fe_length;
  }
}

}  // namespace iomap::tests
