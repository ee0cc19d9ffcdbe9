#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/buffer_cancels.h"
#include "backends/xfs/log_transaction.h"
#include "iomap/attributes.h"

namespace iomap::xfs {

// What the first two regions of an inode item say, checked.
struct LogInode {
  InodeNumber number = 0;
  uint32_t fields = 0;
  BufferPlace place = {};      // of the buffer that the inode lies in
  uint32_t buffer_offset = 0;  // of the inode in it, bytes
  uint32_t device = 0;
  DiskLogInode core = {};
  // What of the forks is logged; empty when nothing is.
  absl::Span<const std::byte> data_fork = {};
  absl::Span<const std::byte> attribute_fork = {};

  uint64_t address() const { return place.block * kBasicBlockSize + buffer_offset; }
  bool is_v3() const { return core.version == 3; }
  uint16_t flush_iteration() const {
    return static_cast<uint16_t>(core.big_extent_count.get() >> 48);
  }
};

// Parses `item`, whose type is kInode and which outlives the result. DataLoss when it does not fit
// the inodes of the file system.
absl::StatusOr<LogInode> ParseLogInode(const Superblock& superblock, const LogItem& item);

// Puts the core into `disk`, the inode as it lies on the medium: all but next_unlinked, which is
// not logged here, and the checksum. `lsn` becomes the inode's, in version 3.
void CopyInodeCore(const LogInode& logged, uint64_t lsn, DiskInode& disk);

}  // namespace iomap::xfs
