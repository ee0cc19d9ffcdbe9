#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "iomap/byte_range.h"
#include "iomap/get_block.h"
#include "iomap/mapping.h"

namespace iomap::ext4 {

// The blocks of an inode of ext2 and ext3 style: 12 direct pointers and three trees of pointer
// blocks, one to three levels high, that begin in the inode. It is an old get_block function, and
// maps through the adapter for those (iomap/get_block.h). Safe for concurrent use.
class BlockMap {
 public:
  // `volume` and `inode` outlive the map.
  BlockMap(const Volume& volume, const Inode& inode) : volume_(volume), inode_(inode) {}

  // As iomap::File::MapForRead. DataLoss when a pointer leads out of the file system, or two of the
  // file's pointers to the same pointer block.
  absl::StatusOr<size_t> Map(const ByteRange& range, absl::Span<Mapping> out) const;

  // Which block holds block `file_block`; with it, how many more follow in the same pointer block,
  // or how many blocks the hole has that an absent pointer block leaves.
  absl::StatusOr<BlockAnswer> GetBlock(uint64_t file_block) const;

 private:
  absl::StatusOr<absl::Span<const std::byte>> PointerBlock(uint64_t block,
                                                           uint64_t first_file_block,
                                                           int height) const;
  absl::StatusOr<BlockAnswer> AnswerFrom(absl::Span<const std::byte> pointers) const;

  const Volume& volume_;
  const Inode& inode_;
  // Where each pointer block hangs: a key made of its first file block and its height. A block that
  // hangs in two places would make a small image look like a huge file.
  mutable std::mutex mutex_;
  mutable absl::flat_hash_map<uint64_t, uint64_t> places_;  // guarded by mutex_
};

}  // namespace iomap::ext4
