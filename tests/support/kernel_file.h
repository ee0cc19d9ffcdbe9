#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tests/support/extent_list.h"
#include "tests/support/file_descriptor.h"

namespace iomap::tests {

// A file of a mounted image, asked through the kernel's own interfaces. Unavailable, with errno's
// words, for whatever the kernel refuses.
class KernelFile {
 public:
  // A regular file or a directory, for reading.
  static absl::StatusOr<KernelFile> Open(const std::string& path);

  // FIEMAP of the whole file, written back first (FIEMAP_FLAG_SYNC). Nothing where this kind of
  // file has no FIEMAP (a directory of XFS).
  absl::StatusOr<std::optional<ExtentList>> Extents() const;

  // lseek(2): the offset, or nothing where the kernel says ENXIO.
  absl::StatusOr<std::optional<uint64_t>> SeekData(uint64_t offset) const;
  absl::StatusOr<std::optional<uint64_t>> SeekHole(uint64_t offset) const;

  // FIBMAP: the block's number or 0. Nothing where the kernel has no answer for this file. Needs
  // root.
  std::optional<uint32_t> Bmap(uint32_t file_block) const;

  bool is_on_xfs() const;

  // pread(2) of all of `out`, which lies below the end of file.
  absl::Status Read(uint64_t offset, absl::Span<std::byte> out) const;

 private:
  explicit KernelFile(FileDescriptor file) : file_(std::move(file)) {}
  absl::StatusOr<std::optional<uint64_t>> Seek(uint64_t offset, int whence) const;

  FileDescriptor file_;
};

}  // namespace iomap::tests
