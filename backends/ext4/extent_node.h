#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "backends/verified_tree.h"

namespace iomap::ext4 {

inline constexpr uint64_t kFileBlocks = uint64_t{1} << 32;  // file blocks are 32-bit numbers

// One record of a leaf of an extent tree, decoded; in blocks.
struct Extent {
  uint64_t file_block = 0;
  uint64_t start = 0;
  uint32_t length = 0;
  bool unwritten = false;

  uint64_t end() const { return file_block + length; }
};

// Record `index` of a leaf. Field by field: of a copy of the record all parts would be stored.
inline Extent ExtentAt(const std::byte* records, uint32_t index) {
  const std::byte* const record = records + index * sizeof(DiskExtent);
  const uint32_t length = backends::Load<Le16>(record + offsetof(DiskExtent, length));
  const bool unwritten = length > kMostWrittenBlocks;
  return Extent{
      .file_block = backends::Load<Le32>(record + offsetof(DiskExtent, file_block)),
      .start = backends::Load<Le32>(record + offsetof(DiskExtent, start_lo)) |
               uint64_t{backends::Load<Le16>(record + offsetof(DiskExtent, start_hi))} << 32,
      .length = unwritten ? length - kMostWrittenBlocks : length,
      .unwritten = unwritten};
}

// The root of the inode's tree, checked. `inode` outlives the node.
absl::StatusOr<backends::TreeNode> ParseExtentRoot(const Volume& volume, const Inode& inode);

// The node in block `block` of the volume, checked as one that hangs in `place` of the inode's
// tree: magic, checksum, depth, order, that its blocks are blocks of the volume.
absl::StatusOr<backends::TreeNode> ReadExtentNode(const Volume& volume, const Inode& inode,
                                                  uint64_t block, const backends::TreePlace& place);

}  // namespace iomap::ext4
