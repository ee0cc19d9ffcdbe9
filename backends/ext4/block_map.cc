#include "backends/ext4/block_map.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

constexpr uint64_t kDirectPointers = 12;
constexpr int kTrees = 3;
constexpr size_t kCallsPerAnswer = 4096;

uint64_t PointerAt(Bytes pointers, uint64_t index) {
  return backends::Load<Le32>(pointers.data() + index * sizeof(Le32));
}

}  // namespace

absl::StatusOr<size_t> BlockMap::Map(const ByteRange& range, absl::Span<Mapping> out) const {
  IOMAP_ASSIGN_OR_RETURN(
      const size_t count,
      MapByGetBlock([this](uint64_t file_block) { return GetBlock(file_block); },
                    volume_.superblock().block_size, range, out, kCallsPerAnswer));
  for (Mapping& mapping : out.first(count)) {
    if (mapping.type == MappingType::kMapped) {
      mapping.flags = MappingFlag::kMerged;  // as Linux says of such files
    }
  }
  return count;
}

absl::StatusOr<BlockAnswer> BlockMap::GetBlock(uint64_t file_block) const {
  const Bytes inode_pointers(inode_.block);
  if (file_block < kDirectPointers) {
    return AnswerFrom(inode_pointers.subspan(file_block * sizeof(Le32),
                                             (kDirectPointers - file_block) * sizeof(Le32)));
  }
  const uint64_t pointers_per_block = volume_.superblock().block_size / sizeof(Le32);
  uint64_t first = kDirectPointers;  // file block where the tree begins
  uint64_t covered =
      pointers_per_block;  // file blocks below a pointer to a block of height `height`
  for (int height = 1; height <= kTrees; ++height, covered *= pointers_per_block) {
    if (file_block - first >= covered) {
      first += covered;
      continue;
    }
    uint64_t pointer = PointerAt(inode_pointers, kDirectPointers + height - 1);
    for (int level = height; pointer != 0; --level) {
      IOMAP_ASSIGN_OR_RETURN(const Bytes pointers, PointerBlock(pointer, first, level));
      covered /= pointers_per_block;
      const uint64_t index = (file_block - first) / covered;
      if (level == 1) {
        return AnswerFrom(pointers.subspan(index * sizeof(Le32)));
      }
      first += index * covered;
      pointer = PointerAt(pointers, index);
    }
    return BlockAnswer{.blocks = first + covered - file_block};
  }
  return BlockAnswer{.blocks = ByteRange::kMaxOffset};  // past what pointers can reach
}

absl::StatusOr<BlockAnswer> BlockMap::AnswerFrom(Bytes pointers) const {
  const uint64_t count = pointers.size() / sizeof(Le32);
  const uint64_t block = PointerAt(pointers, 0);
  uint64_t run = 1;
  if (block == 0) {
    while (run < count && PointerAt(pointers, run) == 0) {
      ++run;
    }
    return BlockAnswer{.blocks = run};
  }
  while (run < count && PointerAt(pointers, run) == block + run) {
    ++run;
  }
  if (!volume_.HasBlocks(block, run)) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", inode_.number, ": pointer to block ",
                                            block, ", ", run, " blocks, the file system has ",
                                            volume_.readable_blocks()));
  }
  return BlockAnswer{.block = block, .state = BufferState::kMapped, .blocks = run};
}

absl::StatusOr<Bytes> BlockMap::PointerBlock(uint64_t block, uint64_t first_file_block,
                                             int height) const {
  if (!volume_.HasBlocks(block, 1)) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", inode_.number,
                                            ": pointer block at block ", block,
                                            ", the file system has ", volume_.readable_blocks()));
  }
  const uint64_t place = first_file_block << 2 | static_cast<uint64_t>(height);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const uint64_t known_place = places_.try_emplace(block, place).first->second;
    if (known_place != place) {
      return absl::DataLossError(absl::StrCat("ext4 inode ", inode_.number, ": pointer block ",
                                              block, " for file block ", first_file_block,
                                              " is also that for file block ", known_place >> 2));
    }
  }
  return volume_.Block(block);
}

}  // namespace iomap::ext4
