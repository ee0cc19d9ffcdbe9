#include "tests/support/kernel_file.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr uint32_t kExtentsPerCall = 4096;

// The flags that say nothing which a mapping has to say: LAST and MERGED describe the report,
// NOT_ALIGNED goes with inline data.
constexpr uint32_t kHarmlessFlags = FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_MERGED |
                                    FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |
                                    FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_SHARED |
                                    FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED;

absl::StatusOr<Mapping> MappingOf(const fiemap_extent& extent) {
  if ((extent.fe_flags & ~kHarmlessFlags) != 0) {
    return absl::InternalError(absl::StrCat("FIEMAP at ", extent.fe_logical, ": flags ",
                                            absl::Hex(extent.fe_flags), " are not expected"));
  }
  Mapping mapping{.offset = extent.fe_logical,
                  .length = extent.fe_length,
                  .address = extent.fe_physical,
                  .type = MappingType::kMapped};
  if ((extent.fe_flags & FIEMAP_EXTENT_DATA_INLINE) != 0) {
    mapping.type = MappingType::kInline;
    mapping.address = Mapping::kNoAddress;
  } else if ((extent.fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0) {
    mapping.type = MappingType::kUnwritten;
  }
  if ((extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0) {
    mapping.flags = MappingFlag::kShared;
  }
  if ((extent.fe_flags & FIEMAP_EXTENT_ENCODED) != 0) {
    mapping.flags = mapping.flags | MappingFlag::kEncoded;
  }
  return mapping;
}

}  // namespace

absl::StatusOr<KernelFile> KernelFile::Open(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) {
    return SystemError(path);
  }
  return KernelFile(std::move(file));
}

absl::StatusOr<std::optional<ExtentList>> KernelFile::Extents() const {
  std::vector<std::byte> buffer(sizeof(fiemap) + kExtentsPerCall * sizeof(fiemap_extent));
  auto* const request = reinterpret_cast<fiemap*>(buffer.data());
  ExtentList extents;
  bool last = false;
  uint64_t position = 0;
  while (!last) {
    *request = {};
    request->fm_start = position;
    request->fm_length = FIEMAP_MAX_OFFSET - position;
    request->fm_flags = FIEMAP_FLAG_SYNC;
    request->fm_extent_count = kExtentsPerCall;
    if (ioctl(file_.get(), FS_IOC_FIEMAP, request) != 0) {
      if (errno == EOPNOTSUPP) {
        return std::nullopt;
      }
      return SystemError("FIEMAP");
    }
    for (uint32_t i = 0; i < request->fm_mapped_extents; ++i) {
      const fiemap_extent& extent = request->fm_extents[i];
      IOMAP_ASSIGN_OR_RETURN(const Mapping mapping, MappingOf(extent));
      extents.push_back(mapping);
      position = mapping.end();
      last = (extent.fe_flags & FIEMAP_EXTENT_LAST) != 0;
    }
    last = last || request->fm_mapped_extents == 0;
  }
  return extents;
}

absl::StatusOr<std::optional<uint64_t>> KernelFile::Seek(uint64_t offset, int whence) const {
  const off_t found = lseek(file_.get(), static_cast<off_t>(offset), whence);
  if (found >= 0) {
    return static_cast<uint64_t>(found);
  }
  if (errno == ENXIO) {
    return std::nullopt;
  }
  return SystemError("lseek to ", offset);
}

absl::StatusOr<std::optional<uint64_t>> KernelFile::SeekData(uint64_t offset) const {
  return Seek(offset, SEEK_DATA);
}

absl::StatusOr<std::optional<uint64_t>> KernelFile::SeekHole(uint64_t offset) const {
  return Seek(offset, SEEK_HOLE);
}

std::optional<uint32_t> KernelFile::Bmap(uint32_t file_block) const {
  int block = static_cast<int>(file_block);
  if (ioctl(file_.get(), FIBMAP, &block) != 0) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(block);
}

bool KernelFile::is_on_xfs() const {
  struct statfs status;
  return fstatfs(file_.get(), &status) == 0 && status.f_type == XFS_SUPER_MAGIC;
}

absl::Status KernelFile::Read(uint64_t offset, absl::Span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (count <= 0) {
      return SystemError("read of ", out.size(), " bytes at ", offset, ", ", count, " came");
    }
    offset += count;
    out.remove_prefix(count);
  }
  return absl::OkStatus();
}

}  // namespace iomap::tests
