#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/directory_blocks.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// What a look-up does with an entry whose hash is the one sought: given the entry's byte offset in
// the directory. True: go on to the next one.
using IndexVisit = absl::FunctionRef<absl::StatusOr<bool>(uint64_t offset)>;

// The index of a directory that is one block: behind its entries.
struct BlockTail {
  uint32_t entries_end = 0;           // the end of the entries: the index begins here
  absl::Span<const std::byte> index;  // DiskIndexEntry
};
absl::StatusOr<BlockTail> ParseBlockTail(const Inode& inode, const DirectoryBlocks::Block& block);

// Visits the entries in `index` (DiskIndexEntry, sorted) whose hash is `hash`; returns whether the
// visits want more.
absl::StatusOr<bool> VisitHash(absl::Span<const std::byte> index, uint32_t hash, IndexVisit visit);

// Visits the entries of a directory with index blocks whose hash is `hash`. DataLoss when the index
// is damaged.
absl::Status VisitHashInBlocks(const Volume& volume, const Inode& inode,
                               const DirectoryBlocks& blocks, uint32_t hash, IndexVisit visit);

}  // namespace iomap::xfs
