#include "backends/xfs/symlink.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr SelfDescription kSymlinkDescription = {
    .crc = offsetof(DiskSymlinkHeader, crc),
    .block_number = offsetof(DiskSymlinkHeader, block_number),
    .uuid = offsetof(DiskSymlinkHeader, uuid),
    .owner = offsetof(DiskSymlinkHeader, owner),
    .owner_bytes = sizeof(uint64_t),
};

template <typename... What>
absl::Status Damaged(const Inode& inode, const What&... what) {
  return absl::DataLossError(
      absl::StrCat("xfs inode ", inode.number(), ", symbolic link: ", what...));
}

// The text in `bytes`, the blocks of one extent, of a target of which `done` bytes are known.
absl::StatusOr<absl::Span<const std::byte>> TextOf(const Volume& volume, const Inode& inode,
                                                   const Extent& extent,
                                                   absl::Span<const std::byte> bytes,
                                                   uint64_t done) {
  if (!volume.superblock.is_v5()) {
    return bytes;
  }
  const auto header = backends::CopyOut<DiskSymlinkHeader>(bytes.data());
  if (header.magic.get() != kSymlinkMagic) {
    return Damaged(inode, "magic number ", absl::Hex(header.magic.get(), absl::kZeroPad8),
                   " of block ", extent.start_block);
  }
  absl::Status status =
      CheckSelfDescription(volume.superblock, kSymlinkDescription, bytes,
                           volume.superblock.AddressOfBlock(extent.start_block), inode.number());
  if (!status.ok()) {
    return Damaged(inode, "block ", extent.start_block, ": ", status.message());
  }
  const uint64_t text_bytes = header.bytes.get();
  if (header.offset.get() != done || text_bytes > bytes.size() - sizeof header) {
    return Damaged(inode, "block ", extent.start_block, " holds ", text_bytes, " bytes from ",
                   header.offset.get(), " on, expected from ", done);
  }
  return bytes.subspan(sizeof header, static_cast<size_t>(text_bytes));
}

absl::StatusOr<std::string> ReadRemoteTarget(const Volume& volume, const Inode& inode,
                                             const BlockMap& block_map) {
  const uint64_t size = inode.attributes.size;
  std::string target;
  uint64_t file_block = 0;
  while (target.size() < size) {
    IOMAP_ASSIGN_OR_RETURN(const Extent extent, block_map.ExtentAtOrBehind(file_block));
    if (extent.block_count == 0 || extent.file_block != file_block || extent.unwritten) {
      return Damaged(inode, "its block ", file_block, " is missing");
    }
    // A target has at most 1024 bytes: what the last extent has beyond them is damage.
    const uint64_t most_blocks = kMostSymlinkBytes / kLeastSectorSize + 1;
    if (extent.block_count > most_blocks) {
      return Damaged(inode, "an extent of ", extent.block_count, " blocks");
    }
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes,
                           volume.ViewBlocks(extent.start_block, extent.block_count));
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> text,
                           TextOf(volume, inode, extent, bytes, target.size()));
    const size_t wanted = std::min<size_t>(text.size(), size - target.size());
    if (wanted == 0) {
      return Damaged(inode, "block ", extent.start_block, " is empty");
    }
    target.append(reinterpret_cast<const char*>(text.data()), wanted);
    file_block = extent.end();
  }
  return target;
}

}  // namespace

absl::StatusOr<std::string> ReadSymlink(const Volume& volume, const Inode& inode,
                                        const BlockMap& block_map) {
  const uint64_t size = inode.attributes.size;
  if (size == 0 || size > kMostSymlinkBytes) {
    return Damaged(inode, "a target of ", size, " bytes, from 1 to ", kMostSymlinkBytes);
  }
  std::string target;
  if (inode.fork_format == ForkFormat::kLocal) {
    const absl::Span<const std::byte> local = inode.local();
    target.assign(reinterpret_cast<const char*>(local.data()), local.size());
  } else {
    IOMAP_ASSIGN_OR_RETURN(target, ReadRemoteTarget(volume, inode, block_map));
  }
  if (const size_t place = target.find('\0'); place != std::string::npos) {
    return Damaged(inode, "byte ", place, " of its target is zero");
  }
  return target;
}

}  // namespace iomap::xfs
