#include "backends/xfs/directory_index.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "backends/xfs/directory_format.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint64_t kAddressUnit = 8;  // bytes: what the index counts the places of entries in

template <typename... What>
absl::Status Damaged(const Inode& inode, uint64_t block, const What&... what) {
  return absl::DataLossError(
      absl::StrCat("xfs inode ", inode.number(), ", directory block ", block, ": ", what...));
}

DiskIndexEntry EntryAt(absl::Span<const std::byte> index, size_t i) {
  return backends::CopyOut<DiskIndexEntry>(index.data() + i * sizeof(DiskIndexEntry));
}

// The first of `index`'s entries whose hash is at least `hash`; their number when there is none.
// Entries of nodes begin in the same way.
size_t FirstAtLeast(absl::Span<const std::byte> index, uint32_t hash) {
  size_t begin = 0;
  size_t size = index.size() / sizeof(DiskIndexEntry);
  while (size > 0) {
    const size_t half = size / 2;
    if (EntryAt(index, begin + half).hash.get() < hash) {
      begin += half + 1;
      size -= half + 1;
    } else {
      size = half;
    }
  }
  return begin;
}

// A block of the index, its header parsed.
struct IndexBlock {
  DirectoryBlocks::Block block;
  bool is_node = false;
  uint64_t forward = 0;
  uint64_t backward = 0;
  uint32_t level = 0;                   // of a node
  absl::Span<const std::byte> entries;  // DiskIndexEntry or DiskNodeEntry
};

absl::StatusOr<IndexBlock> ReadIndexBlock(const Volume& volume, const Inode& inode,
                                          const DirectoryBlocks& blocks, uint64_t number) {
  if (number < blocks.first_index_block() ||
      number % volume.superblock.directory_block_blocks() != 0) {
    return Damaged(inode, number, "this cannot be a block of the index");
  }
  IndexBlock index;
  IOMAP_ASSIGN_OR_RETURN(index.block, blocks.ReadIndex(number));
  const std::byte* const data = index.block.bytes.data();
  const bool is_v5 = volume.superblock.is_v5();
  const auto start = backends::CopyOut<DiskIndexHeaderV4>(data);
  const auto v5 = backends::CopyOut<DiskIndexHeaderV5>(data);
  const size_t header_bytes = is_v5 ? sizeof(DiskIndexHeaderV5) : sizeof(DiskIndexHeaderV4);
  const uint32_t count = is_v5 ? v5.count.get() : start.count.get();
  const size_t most = (index.block.bytes.size() - header_bytes) / sizeof(DiskIndexEntry);
  if (count > most) {
    return Damaged(inode, number, count, " index entries, at most ", most);
  }
  index.is_node = index.block.magic == (is_v5 ? kNodeMagicV5 : kNodeMagicV4);
  if (index.is_node) {
    index.level = is_v5 ? v5.stale_or_level.get() : start.stale_or_level.get();
  }
  index.forward = start.forward.get();
  index.backward = start.backward.get();
  index.entries = index.block.bytes.subspan(header_bytes, count * sizeof(DiskIndexEntry));
  return index;
}

// The leaf in which the first entries of `hash` are, if there are any.
absl::StatusOr<IndexBlock> DescendTo(const Volume& volume, const Inode& inode,
                                     const DirectoryBlocks& blocks, uint32_t hash) {
  uint64_t number = blocks.first_index_block();
  std::optional<uint32_t> level;  // what the block at `number` has to have
  while (true) {
    IOMAP_ASSIGN_OR_RETURN(IndexBlock index, ReadIndexBlock(volume, inode, blocks, number));
    const uint32_t found = index.is_node ? index.level : 0;
    const bool in_place = level.has_value() ? found == *level : found <= kMostIndexLevels;
    if (!in_place || (index.is_node && found == 0)) {
      return Damaged(inode, number, "level ", found, " of the index, where it cannot be");
    }
    if (!index.is_node) {
      return index;
    }
    const size_t count = index.entries.size() / sizeof(DiskNodeEntry);
    if (count == 0) {
      return Damaged(inode, number, "an index node without entries");
    }
    const size_t chosen = std::min(FirstAtLeast(index.entries, hash), count - 1);
    number = backends::CopyOut<DiskNodeEntry>(index.entries.data() + chosen * sizeof(DiskNodeEntry))
                 .block.get();
    level = found - 1;
  }
}

}  // namespace

absl::StatusOr<BlockTail> ParseBlockTail(const Inode& inode, const DirectoryBlocks::Block& block) {
  const size_t tail_begin = block.bytes.size() - sizeof(DiskDirectoryBlockTail);
  const auto tail = backends::CopyOut<DiskDirectoryBlockTail>(block.bytes.data() + tail_begin);
  const uint32_t count = tail.count.get();
  const size_t most = (tail_begin - kDirectoryDataHeaderBytesV4) / sizeof(DiskIndexEntry);
  if (count > most) {
    return Damaged(inode, block.number, count, " index entries, at most ", most);
  }
  const size_t index_bytes = size_t{count} * sizeof(DiskIndexEntry);
  return BlockTail{static_cast<uint32_t>(tail_begin - index_bytes),
                   block.bytes.subspan(tail_begin - index_bytes, index_bytes)};
}

absl::StatusOr<bool> VisitHash(absl::Span<const std::byte> index, uint32_t hash, IndexVisit visit) {
  const size_t count = index.size() / sizeof(DiskIndexEntry);
  for (size_t i = FirstAtLeast(index, hash); i < count; ++i) {
    const DiskIndexEntry entry = EntryAt(index, i);
    if (entry.hash.get() != hash) {
      return true;
    }
    if (entry.address.get() == 0) {
      continue;  // stale
    }
    IOMAP_ASSIGN_OR_RETURN(const bool more, visit(entry.address.get() * kAddressUnit));
    if (!more) {
      return false;
    }
  }
  return true;
}

absl::Status VisitHashInBlocks(const Volume& volume, const Inode& inode,
                               const DirectoryBlocks& blocks, uint32_t hash, IndexVisit visit) {
  IOMAP_ASSIGN_OR_RETURN(IndexBlock leaf, DescendTo(volume, inode, blocks, hash));
  const uint64_t first = leaf.block.number;
  while (true) {
    IOMAP_ASSIGN_OR_RETURN(const bool more, VisitHash(leaf.entries, hash, visit));
    const size_t count = leaf.entries.size() / sizeof(DiskIndexEntry);
    const bool goes_on = more && leaf.forward != 0 && count > 0 &&
                         EntryAt(leaf.entries, count - 1).hash.get() == hash;
    if (!goes_on) {
      return absl::OkStatus();
    }
    // The same hash may go on in the next leaf. Since each leaf names the one before it, a chain
    // can come back only to its first one.
    const uint64_t previous = leaf.block.number;
    IOMAP_ASSIGN_OR_RETURN(leaf, ReadIndexBlock(volume, inode, blocks, leaf.forward));
    if (leaf.is_node || leaf.backward != previous || leaf.block.number == first) {
      return Damaged(inode, leaf.block.number, "a leaf of the index in the wrong place behind ",
                     previous);
    }
  }
}

}  // namespace iomap::xfs
