#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/ext4/directory_block.h"
#include "backends/ext4/file.h"
#include "backends/ext4/volume.h"
#include "iomap/filesystem.h"

namespace iomap::ext4 {

// A directory inside its inode begins with the parent's inode number; it has no "." and no "..".
inline constexpr size_t kInlineParentBytes = sizeof(Le32);

// The entries of one directory: linear, hashed, or inside the inode. A view of an open file; not
// kept. Safe for concurrent use.
class Directory {
 public:
  // FailedPrecondition when `file` is no directory, or is encrypted. `volume` outlives the result.
  static absl::StatusOr<Directory> Open(Volume& volume, std::shared_ptr<File> file);

  // As iomap::Filesystem has them. A hashed directory is looked up through its index, others by a
  // scan. Names are compared as stored, also in case-folding directories.
  absl::StatusOr<InodeNumber> LookUp(absl::string_view name) const;
  absl::Status Read(uint64_t cookie, absl::FunctionRef<bool(const DirectoryEntry&)> entry) const;

  uint64_t block_count() const;
  // Block `index`, verified. DataLoss when it is a hole or lies outside the directory.
  absl::StatusOr<absl::Span<const std::byte>> Block(uint64_t index) const;

 private:
  Directory(Volume& volume, std::shared_ptr<File> file);

  absl::StatusOr<std::optional<InodeNumber>> FindInBlock(uint64_t index,
                                                         absl::string_view name) const;
  absl::StatusOr<std::optional<InodeNumber>> FindByIndex(absl::string_view name) const;
  absl::StatusOr<std::optional<InodeNumber>> FindByScan(absl::string_view name) const;
  absl::StatusOr<std::optional<InodeNumber>> FindInline(absl::string_view name) const;
  absl::Status ReadInline(uint64_t cookie,
                          absl::FunctionRef<bool(const DirectoryEntry&)> entry) const;

  Volume& volume_;
  const std::shared_ptr<File> file_;
};

}  // namespace iomap::ext4
