#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace iomap::tests {

// The floor: the extent tree of one file, walked where it lies in the mapped image with no
// checksum, no bounds check, no lock and no copy. Only for images that are known to be good.
class RawTree {
 public:
  virtual ~RawTree() = default;
  // The block that holds block `file_block`, 0 in a hole.
  virtual uint64_t BlockAt(uint64_t file_block) const = 0;
  // Reads every field of every extent; the number of extents.
  virtual size_t CountExtents() const = 0;
};

// File `inode` of the ext4, or XFS, file system in the file `image`, whose extents lie in a tree
// (not all in the inode).
absl::StatusOr<std::unique_ptr<RawTree>> OpenRawExt4Tree(const std::string& image, uint64_t inode);
absl::StatusOr<std::unique_ptr<RawTree>> OpenRawXfsTree(const std::string& image, uint64_t inode);

}  // namespace iomap::tests
