#include "backends/xfs/directory_blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr SelfDescription kDataDescription = {
    .crc = offsetof(DiskDirectoryDataHeader, crc),
    .block_number = offsetof(DiskDirectoryDataHeader, block_number),
    .uuid = offsetof(DiskDirectoryDataHeader, uuid),
    .owner = offsetof(DiskDirectoryDataHeader, owner),
    .owner_bytes = sizeof(uint64_t),
};
constexpr SelfDescription kIndexDescription = {
    .crc = offsetof(DiskIndexHeaderV5, crc),
    .block_number = offsetof(DiskIndexHeaderV5, block_number),
    .uuid = offsetof(DiskIndexHeaderV5, uuid),
    .owner = offsetof(DiskIndexHeaderV5, owner),
    .owner_bytes = sizeof(uint64_t),
};

template <typename... What>
absl::Status Damaged(const Inode& inode, uint64_t number, const What&... what) {
  return absl::DataLossError(
      absl::StrCat("xfs inode ", inode.number(), ", directory block ", number, ": ", what...));
}

bool IsDataMagic(uint32_t magic, bool is_v5) {
  return is_v5 ? magic == kDirectoryBlockMagicV5 || magic == kDirectoryDataMagicV5
               : magic == kDirectoryBlockMagicV4 || magic == kDirectoryDataMagicV4;
}

bool IsIndexMagic(uint32_t magic, bool is_v5) {
  return is_v5 ? magic == kSingleLeafMagicV5 || magic == kLeafMagicV5 || magic == kNodeMagicV5
               : magic == kSingleLeafMagicV4 || magic == kLeafMagicV4 || magic == kNodeMagicV4;
}

}  // namespace

absl::StatusOr<DirectoryBlocks::Gathered> DirectoryBlocks::Gather(uint64_t number) const {
  const Superblock& superblock = volume_.superblock;
  const uint64_t end = number + superblock.directory_block_blocks();
  Gathered result;
  result.block.number = number;
  size_t filled = 0;
  for (uint64_t next = number; next < end;) {
    IOMAP_ASSIGN_OR_RETURN(const Extent extent, block_map_.ExtentAtOrBehind(next));
    if (extent.block_count == 0 || extent.file_block > next || extent.unwritten) {
      return Damaged(inode_, number, "file block ", next, " is missing");
    }
    const uint64_t count = std::min(extent.end(), end) - next;
    const uint64_t fsblock = extent.start_block + (next - extent.file_block);
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> view,
                           volume_.ViewBlocks(fsblock, count));
    if (next == number) {
      result.address = superblock.AddressOfBlock(fsblock);
      if (next + count == end) {
        result.block.bytes = view;
        return result;
      }
      result.block.gathered = std::make_unique<std::byte[]>(superblock.directory_block_size());
    }
    std::memcpy(result.block.gathered.get() + filled, view.data(), view.size());
    filled += view.size();
    next += count;
  }
  result.block.bytes =
      absl::MakeConstSpan(result.block.gathered.get(), superblock.directory_block_size());
  return result;
}

absl::Status DirectoryBlocks::VerifyOnce(const Block& block, uint64_t address,
                                         const SelfDescription& layout) const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = verified_.find(address); found != verified_.end()) {
      return found->second == block.number
                 ? absl::OkStatus()
                 : Damaged(inode_, block.number, "it lies where block ", found->second, " lies");
    }
  }
  if (volume_.superblock.is_v5()) {
    absl::Status status =
        CheckSelfDescription(volume_.superblock, layout, block.bytes, address, inode_.number());
    if (!status.ok()) {
      return Damaged(inode_, block.number, status.message());
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  verified_.emplace(address, block.number);
  return absl::OkStatus();
}

absl::StatusOr<DirectoryBlocks::Block> DirectoryBlocks::ReadData(uint64_t number) const {
  IOMAP_ASSIGN_OR_RETURN(Gathered read, Gather(number));
  read.block.magic = backends::Load<Be32>(read.block.bytes.data());
  if (!IsDataMagic(read.block.magic, volume_.superblock.is_v5())) {
    return Damaged(inode_, number, "magic number ", absl::Hex(read.block.magic, absl::kZeroPad8),
                   " of a block of entries");
  }
  IOMAP_RETURN_IF_ERROR(VerifyOnce(read.block, read.address, kDataDescription));
  return std::move(read.block);
}

absl::StatusOr<DirectoryBlocks::Block> DirectoryBlocks::ReadIndex(uint64_t number) const {
  IOMAP_ASSIGN_OR_RETURN(Gathered read, Gather(number));
  read.block.magic =
      backends::Load<Be16>(read.block.bytes.data() + offsetof(DiskIndexHeaderV5, magic));
  if (!IsIndexMagic(read.block.magic, volume_.superblock.is_v5())) {
    return Damaged(inode_, number, "magic number ", absl::Hex(read.block.magic, absl::kZeroPad4),
                   " of an index block");
  }
  IOMAP_RETURN_IF_ERROR(VerifyOnce(read.block, read.address, kIndexDescription));
  return std::move(read.block);
}

absl::StatusOr<uint64_t> DirectoryBlocks::NextData(uint64_t number) const {
  IOMAP_ASSIGN_OR_RETURN(const Extent extent, block_map_.ExtentAtOrBehind(number));
  if (extent.block_count == 0) {
    return first_index_block();
  }
  const uint64_t mask = volume_.superblock.directory_block_blocks() - 1;
  return std::min(std::max(number, extent.file_block & ~mask), first_index_block());
}

}  // namespace iomap::xfs
