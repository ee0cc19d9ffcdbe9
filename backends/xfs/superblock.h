#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "backends/xfs/format.h"
#include "dax/device.h"
#include "iomap/attributes.h"
#include "iomap/byte_range.h"

namespace iomap::xfs {

// The parsed superblock: geometry that has been checked, so that no arithmetic on it overflows, and
// the features as questions. A plain value.
//
// Blocks have sparse numbers (fsblock): the allocation group above ag_block_log bits of block
// within the group. So have inodes. "Address" means bytes from the start of the device.
struct Superblock {
  uint32_t block_size = 0;  // bytes, 1 << block_log
  uint8_t block_log = 0;
  uint32_t sector_size = 0;  // bytes
  uint32_t inode_size = 0;   // bytes, 1 << inode_log
  uint8_t inode_log = 0;
  uint8_t inodes_per_block_log = 0;
  uint32_t ag_blocks = 0;  // of every group but the last
  uint8_t ag_block_log = 0;
  uint32_t ag_count = 0;
  uint64_t data_blocks = 0;
  uint64_t realtime_blocks = 0;
  uint64_t realtime_extents = 0;
  uint32_t realtime_extent_blocks = 0;
  uint64_t log_start = 0;  // fsblock; 0: the log is on a device of its own
  uint32_t log_blocks = 0;
  uint32_t log_stripe_unit = 0;     // bytes
  uint32_t log_sector_size = 0;     // bytes
  uint32_t inode_alignment = 0;     // blocks
  uint8_t directory_block_log = 0;  // fs blocks in a directory block, log2
  InodeNumber root_inode = 0;

  uint64_t inode_count = 0;
  uint64_t free_inodes = 0;
  uint64_t free_data_blocks = 0;
  uint64_t free_realtime_extents = 0;

  Uuid uuid{};       // what users see, and what log records carry
  Uuid meta_uuid{};  // what metadata blocks carry
  std::string label;

  uint16_t version = 0;    // number and bits
  uint32_t features2 = 0;  // 0 without kVersionMoreBits
  uint32_t ro_compat = 0;  // 0 in version 4, as the next two
  uint32_t incompat = 0;
  uint32_t log_incompat = 0;

  bool is_v5() const { return (version & kVersionNumberMask) == 5; }
  bool has_log_v2() const { return is_v5() || (version & kVersionLogV2) != 0; }
  bool has_file_types() const {
    return is_v5() ? (incompat & kIncompatFtype) != 0 : (features2 & kFeature2Ftype) != 0;
  }
  bool has_sparse_inodes() const { return (incompat & kIncompatSparse) != 0; }
  bool has_reflink() const { return (ro_compat & kRoCompatReflink) != 0; }
  bool ignores_case() const { return (version & kVersionAsciiCi) != 0; }

  uint32_t directory_block_blocks() const { return uint32_t{1} << directory_block_log; }
  uint32_t directory_block_size() const { return block_size << directory_block_log; }

  uint32_t AgOfBlock(uint64_t fsblock) const {
    return static_cast<uint32_t>(fsblock >> ag_block_log);
  }
  uint32_t BlockInAg(uint64_t fsblock) const {
    return static_cast<uint32_t>(fsblock & ((uint64_t{1} << ag_block_log) - 1));
  }
  uint64_t FsBlock(uint32_t ag, uint32_t block_in_ag) const {
    return uint64_t{ag} << ag_block_log | block_in_ag;
  }
  uint32_t AgLength(uint32_t ag) const;  // blocks
  // True when `count` blocks, at least one, from `fsblock` on lie in one group, behind its headers.
  bool ContainsBlocks(uint64_t fsblock, uint64_t count) const;
  // For blocks that exist.
  uint64_t AddressOfBlock(uint64_t fsblock) const {
    return (uint64_t{AgOfBlock(fsblock)} * ag_blocks + BlockInAg(fsblock)) << block_log;
  }
  // Where sector `sector` of a group's headers lies.
  uint64_t AddressOfHeader(uint32_t ag, uint32_t sector) const {
    return ((uint64_t{ag} * ag_blocks) << block_log) + uint64_t{sector} * sector_size;
  }

  uint8_t ag_inode_log() const { return ag_block_log + inodes_per_block_log; }
  uint32_t AgOfInode(InodeNumber inode) const {
    return static_cast<uint32_t>(inode >> ag_inode_log());
  }
  uint64_t InodeInAg(InodeNumber inode) const {
    return inode & ((uint64_t{1} << ag_inode_log()) - 1);
  }
  // True when the number names a place where an inode could be.
  bool ContainsInode(InodeNumber inode) const;
  uint64_t AddressOfInode(InodeNumber inode) const;  // for one that ContainsInode
};

// Parses the superblock at the start of `device`. DataLoss for damage: magic, checksum, geometry
// that contradicts itself or passes the end of the device. Unimplemented, with the bits and their
// names, for features that reading cannot do without knowing them.
absl::StatusOr<Superblock> ParseSuperblock(const dax::Device& device);

}  // namespace iomap::xfs
