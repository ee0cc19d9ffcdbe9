#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/features.h"

namespace iomap::ext4 {

// The superblock, parsed: every number here is checked against the others, so that arithmetic on
// block, group and inode numbers of the file system cannot overflow. Blocks are file-system blocks.
struct Superblock {
  FeatureWords features;
  uint32_t block_size = 0;  // bytes: 1024 to 65536
  uint32_t block_shift = 0;
  uint32_t blocks_per_cluster = 1;
  uint64_t block_count = 0;
  uint64_t free_block_count = 0;
  uint64_t first_data_block = 0;
  uint32_t blocks_per_group = 0;
  uint64_t group_count = 0;
  uint32_t inode_count = 0;
  uint32_t free_inode_count = 0;
  uint32_t inodes_per_group = 0;
  uint32_t inode_size = 0;                  // bytes
  uint32_t descriptor_size = 0;             // bytes
  uint32_t reserved_descriptor_blocks = 0;  // behind the descriptor table, for its growth
  uint32_t first_meta_block_group = 0;
  std::array<uint32_t, 2> backup_groups = {};
  uint32_t checksum_seed = 0;  // of every metadata checksum but the superblock's
  std::array<uint32_t, 4> hash_seed = {};
  bool unsigned_hash = false;
  uint32_t journal_inode = 0;
  bool has_external_journal = false;
  uint32_t first_inode = 0;
  uint32_t last_orphan = 0;        // the head of the list of orphans; 0: it is empty
  uint32_t orphan_file_inode = 0;  // 0: there is no such file
  uint32_t log_groups_per_flex = 0;
  uint16_t state = 0;
  std::array<unsigned char, 16> uuid = {};
  std::string label;

  bool has_metadata_checksums() const;
  bool has_group_checksums() const;  // of descriptors: metadata_csum or uninit_bg
  uint64_t size_bytes() const { return block_count << block_shift; }

  // The block that holds entry `group` of the descriptor table.
  uint64_t DescriptorBlock(uint64_t group) const;

  // True when the group begins with a copy of the superblock and, without meta_bg, of the
  // descriptor table and the blocks that are reserved for its growth.
  bool GroupHasSuperblock(uint64_t group) const;
};

// Parses the 1024 bytes at kSuperblockOffset: magic, features, checksum, geometry. DataLoss, or
// Unimplemented for what a reader must know and we do not.
absl::StatusOr<Superblock> ParseSuperblock(absl::Span<const std::byte> bytes);

}  // namespace iomap::ext4
