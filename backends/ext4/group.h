#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/format.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// What a reader needs of a group descriptor.
struct Group {
  uint64_t inode_table_block = 0;
  // Inodes of the group from this index on were never used; their part of the table may be garbage.
  uint32_t initialised_inodes = 0;
  uint64_t block_bitmap_block = 0;
  uint64_t inode_bitmap_block = 0;
  bool has_block_bitmap = false;  // false: the bitmap was never written
  uint32_t block_bitmap_checksum = 0;
  uint32_t free_clusters = 0;
  uint32_t free_inodes = 0;
};

// Where a descriptor lies: in the table's block, from byte `offset` on, descriptor_size bytes.
struct DescriptorPlace {
  uint64_t block = 0;
  uint64_t offset = 0;
};
DescriptorPlace DescriptorPlaceOf(const Superblock& superblock, uint64_t group);

// The fields of the descriptor at `bytes`; those that it is too short for are 0, and are lost when
// it is stored, which gives it its checksum.
DiskGroupDescriptor LoadDescriptor(absl::Span<const std::byte> bytes);
void StoreDescriptor(const Superblock& superblock, uint64_t group,
                     const DiskGroupDescriptor& descriptor, absl::Span<std::byte> bytes);

// The free clusters that the descriptor counts.
uint32_t FreeClustersOf(const DiskGroupDescriptor& descriptor);

// The checksum of a bitmap of blocks, in the form that a descriptor keeps.
uint32_t BlockBitmapChecksum(const Superblock& superblock, absl::Span<const std::byte> bitmap);

// The blocks of a group's table of inodes.
uint64_t InodeTableBlocks(const Superblock& superblock);

// Reads descriptor `group`, below the volume's group count, with its checksum. DataLoss, with the
// group and the block, when it is damaged.
absl::StatusOr<Group> ReadGroup(const Volume& volume, uint64_t group);

// Whether the checksum of the group's bitmap of blocks is right, where there are such checksums.
bool IsBlockBitmapWhole(const Superblock& superblock, const Group& group,
                        absl::Span<const std::byte> bitmap);

// What the descriptors of all groups say is free. Linux counts like this at a mount, because a
// crash leaves the superblock's numbers behind. DataLoss.
struct FreeCounts {
  uint64_t blocks = 0;
  uint64_t inodes = 0;
};
absl::StatusOr<FreeCounts> CountFree(const Volume& volume);

// Says in descriptor `group` that its first `count` inodes at least may be in use.
absl::Status InitialiseInodes(Volume& volume, uint64_t group, uint32_t count);

}  // namespace iomap::ext4
