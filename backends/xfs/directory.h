#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backends/xfs/block_map.h"
#include "backends/xfs/directory_blocks.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"
#include "iomap/filesystem.h"

namespace iomap::xfs {

// The entries of one directory in any of the four forms: short (in the inode), block (one block,
// its index at its end), leaf (one index block), node (an index tree). Safe for concurrent use.
// Errors: DataLoss.
class Directory {
 public:
  // All outlive the directory, whose inode `inode` is.
  Directory(const Volume& volume, const Inode& inode, const BlockMap& block_map)
      : volume_(volume), inode_(inode), blocks_(volume, inode, block_map) {}

  // The inode of `name`, through the index where there is one; "." and ".." too. NotFound when
  // there is no such name. With ascii-ci, a name that differs in case alone is found when the exact
  // one does not exist.
  absl::StatusOr<InodeNumber> LookUp(absl::string_view name) const;

  // Calls `entry` for the entries but "." and "..", in order of their place, until it returns
  // false. A cookie is the byte offset in the directory behind the entry that gave it.
  absl::Status Read(uint64_t cookie, absl::FunctionRef<bool(const DirectoryEntry&)> entry) const;

 private:
  class Search;

  absl::Status SearchShortForm(Search& search) const;
  absl::Status SearchIndex(Search& search) const;
  absl::Status ReadShortForm(uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) const;

  const Volume& volume_;
  const Inode& inode_;
  const DirectoryBlocks blocks_;
};

}  // namespace iomap::xfs
