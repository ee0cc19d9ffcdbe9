#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/format.h"
#include "backends/ext4/volume.h"
#include "iomap/attributes.h"

namespace iomap::ext4 {

// An inode in use, parsed and verified.
struct Inode {
  uint32_t number = 0;
  Attributes attributes = {};
  uint32_t flags = 0;                                  // kInode...
  uint32_t checksum_seed = 0;                          // of the file's extent and directory blocks
  std::array<std::byte, kInodeBlockBytes> block = {};  // extent root, block pointers, or data
  uint64_t block_address = 0;                          // where `block` lies on the device, in bytes
  std::vector<std::byte> in_inode_xattrs =
      {};  // the space behind the fixed fields; empty when there is none

  bool has_flag(uint32_t flag) const { return (flags & flag) != 0; }
};

// Reads inode `number`. NotFound when there is no such inode or it is not in use; DataLoss, with
// the number, when it is damaged.
absl::StatusOr<Inode> ReadInode(const Volume& volume, uint64_t number);

}  // namespace iomap::ext4
