#include "backends/ext4/hashed_directory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/directory_block.h"
#include "backends/ext4/directory_hash.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::CopyOut;
using Bytes = absl::Span<const std::byte>;

constexpr uint32_t kBlockMask = 0x0fffffff;  // the upper bits of a block number are reserved
constexpr unsigned char kUnsignedVersions = 3;

DiskIndexEntry EntryAt(Bytes entries, size_t position) {
  return CopyOut<DiskIndexEntry>(entries.data() + position * sizeof(DiskIndexEntry));
}

size_t CountOf(Bytes entries) { return entries.size() / sizeof(DiskIndexEntry); }

// The last entry whose hash is at most `hash`. The first entry, whose hash is not stored, begins at
// 0.
size_t PositionOf(Bytes entries, uint32_t hash) {
  size_t begin = 1;
  size_t end = CountOf(entries);
  while (begin < end) {
    const size_t middle = begin + (end - begin) / 2;
    if (EntryAt(entries, middle).hash.get() <= hash) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin - 1;
}

}  // namespace

absl::Status IndexWalk::Damaged(uint64_t block, absl::string_view what, uint64_t value,
                                absl::string_view expected) const {
  return absl::DataLossError(absl::StrCat("ext4 inode ", directory_.number, ", index block ", block,
                                          ": ", what, " ", value, ", ", expected));
}

absl::StatusOr<IndexWalk> IndexWalk::Find(const Volume& volume, const Inode& directory,
                                          absl::string_view name, BlockReader read_block) {
  const Superblock& superblock = volume.superblock();
  IOMAP_ASSIGN_OR_RETURN(const Bytes root, read_block(0));
  const auto info = CopyOut<DiskIndexRootInfo>(root.data() + kIndexRootInfoOffset);
  const bool is_small_version = info.hash_version < kUnsignedVersions;
  const auto version = static_cast<HashVersion>(
      info.hash_version + (is_small_version && superblock.unsigned_hash ? kUnsignedVersions : 0));
  const absl::StatusOr<uint32_t> hash = DirectoryHash(version, superblock.hash_seed, name);
  if (!hash.ok()) {
    return absl::Status(hash.status().code(),
                        absl::StrCat("ext4 inode ", directory.number,
                                     ", index block 0: ", hash.status().message()));
  }
  IndexWalk walk(directory, *hash, std::move(read_block));
  const int most_levels = (superblock.features.incompat & kIncompatLargeDir) != 0 ? 2 : 1;
  if (info.indirect_levels > most_levels) {
    return walk.Damaged(0, "indirect levels", info.indirect_levels,
                        absl::StrCat("at most ", most_levels));
  }
  if (info.info_length != sizeof info) {
    return walk.Damaged(0, "info length", info.info_length, "expected 8");
  }
  uint64_t block = 0;
  for (int level = 0; level <= info.indirect_levels; ++level) {
    IOMAP_ASSIGN_OR_RETURN(Level next, walk.ReadLevel(block));
    next.position = PositionOf(next.entries, *hash);
    walk.levels_.push_back(next);
    block = walk.leaf();
  }
  return walk;
}

absl::StatusOr<IndexWalk::Level> IndexWalk::ReadLevel(uint64_t block) const {
  IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, read_block_(block));
  if (!IsIndexBlock(directory_, block, bytes)) {
    return Damaged(block, "block", block, "holds names, not an index");
  }
  const Bytes entries = bytes.subspan(IndexEntriesOffset(block));
  const auto counts = CopyOut<DiskIndexCountLimit>(entries.data());
  const size_t count = counts.count.get();
  if (count == 0 || count > counts.limit.get() ||
      counts.limit.get() > entries.size() / sizeof(DiskIndexEntry)) {
    return Damaged(block, "entries", count,
                   absl::StrCat("limit ", counts.limit.get(), ", room for ",
                                entries.size() / sizeof(DiskIndexEntry)));
  }
  return Level{entries.first(count * sizeof(DiskIndexEntry))};
}

uint64_t IndexWalk::leaf() const {
  return EntryAt(levels_.back().entries, levels_.back().position).block.get() & kBlockMask;
}

absl::StatusOr<bool> IndexWalk::NextLeafOfSameHash() {
  size_t depth = levels_.size();
  while (depth > 0 && levels_[depth - 1].position + 1 == CountOf(levels_[depth - 1].entries)) {
    --depth;
  }
  if (depth == 0) {
    return false;
  }
  Level& level = levels_[depth - 1];
  const uint32_t next_hash = EntryAt(level.entries, level.position + 1).hash.get();
  if (next_hash != (hash_ | 1)) {  // the lowest bit says that the hash continues
    return false;
  }
  ++level.position;
  for (; depth < levels_.size(); ++depth) {
    const uint64_t block =
        EntryAt(levels_[depth - 1].entries, levels_[depth - 1].position).block.get() & kBlockMask;
    IOMAP_ASSIGN_OR_RETURN(levels_[depth], ReadLevel(block));
  }
  return true;
}

}  // namespace iomap::ext4
