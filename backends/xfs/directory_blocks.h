#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/block_map.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/directory_format.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// The directory blocks of one directory, by number: the file-system block in the directory at which
// one begins. Each is verified once, in its place. Safe for concurrent use.
class DirectoryBlocks {
 public:
  // One directory block: its bytes in place or, when they lie in more than one extent, gathered.
  struct Block {
    uint64_t number = 0;
    absl::Span<const std::byte> bytes;
    uint32_t magic = 0;  // one that is right for where the block stands
    std::unique_ptr<std::byte[]> gathered;
  };

  // All outlive this.
  DirectoryBlocks(const Volume& volume, const Inode& inode, const BlockMap& block_map)
      : volume_(volume), inode_(inode), block_map_(block_map) {}

  // The block of entries number `number`. DataLoss when it is missing or damaged, or lies where
  // another block of this directory lies, so that a walk ends.
  absl::StatusOr<Block> ReadData(uint64_t number) const;
  // The same for a block of the index.
  absl::StatusOr<Block> ReadIndex(uint64_t number) const;

  // The number of the first block of entries at or behind `number`, or kDirectoryIndexOffset /
  // block size when there is none.
  absl::StatusOr<uint64_t> NextData(uint64_t number) const;

  // The number of the index's first block: behind all blocks of entries.
  uint64_t first_index_block() const {
    return kDirectoryIndexOffset >> volume_.superblock.block_log;
  }

 private:
  struct Gathered {
    Block block;
    uint64_t address = 0;  // of its first byte, on the device
  };

  absl::StatusOr<Gathered> Gather(uint64_t number) const;
  absl::Status VerifyOnce(const Block& block, uint64_t address,
                          const SelfDescription& layout) const;

  const Volume& volume_;
  const Inode& inode_;
  const BlockMap& block_map_;
  mutable std::mutex mutex_;
  mutable absl::flat_hash_map<uint64_t, uint64_t>
      verified_;  // address to number; guarded by mutex_
};

}  // namespace iomap::xfs
