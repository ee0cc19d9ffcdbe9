#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace iomap::tests {

// A file of an ext4 image by libext2fs, the peer: opened read-only, with its own default of
// verifying checksums. Internal, with its error number, when the library refuses.
class Ext2fsFile {
 public:
  static absl::StatusOr<std::unique_ptr<Ext2fsFile>> Open(const std::string& image,
                                                          const std::string& path);
  ~Ext2fsFile();

  // ext2fs_bmap2: the block that holds block `file_block`, 0 in a hole.
  absl::StatusOr<uint64_t> Bmap(uint64_t file_block);

  // ext2fs_extent_get from the root to the last leaf: the number of extents.
  absl::StatusOr<size_t> CountExtents();

 private:
  struct Handles;
  explicit Ext2fsFile(std::unique_ptr<Handles> handles);

  const std::unique_ptr<Handles> handles_;
};

}  // namespace iomap::tests
