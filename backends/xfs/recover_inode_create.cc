#include "backends/xfs/recover_inode_create.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

// Inodes are written in clusters of this size, larger for larger inodes where alignment allows.
constexpr uint32_t kClusterBytes = 8192;
constexpr uint32_t kClusterInodeBytes = 256;
constexpr uint32_t kNoInode = 0xFFFFFFFF;

uint32_t ClusterBlocks(const Superblock& superblock) {
  uint32_t bytes = kClusterBytes;
  if (superblock.is_v5()) {
    const uint32_t larger = kClusterBytes / kClusterInodeBytes * superblock.inode_size;
    if (superblock.inode_alignment >= larger >> superblock.block_log) {
      bytes = larger;
    }
  }
  return std::max<uint32_t>(1, bytes >> superblock.block_log);
}

struct Chunk {
  uint32_t ag = 0;
  uint32_t block_in_ag = 0;
  uint32_t count = 0;   // inodes
  uint32_t length = 0;  // blocks
  uint32_t generation = 0;
};

absl::StatusOr<Chunk> ParseChunk(const Superblock& superblock, const LogItem& item) {
  const std::vector<std::byte>& region = item.regions.front();
  if (region.size() < sizeof(DiskLogInodeCreate) || item.regions.size() != 1) {
    return DamagedLog(absl::StrCat("an inode creation item of ", region.size(), " bytes"));
  }
  const auto disk = backends::CopyOut<DiskLogInodeCreate>(region.data());
  const Chunk chunk{.ag = disk.ag.get(),
                    .block_in_ag = disk.block_in_ag.get(),
                    .count = disk.count.get(),
                    .length = disk.length.get(),
                    .generation = disk.generation.get()};
  const uint32_t most_inodes =
      std::max<uint32_t>(kInodesPerChunk, 1u << superblock.inodes_per_block_log);
  const bool fits = chunk.block_in_ag != 0 && chunk.block_in_ag < superblock.ag_blocks &&
                    chunk.length != 0 && chunk.length <= superblock.ag_blocks - chunk.block_in_ag;
  if (!fits || chunk.count > most_inodes || disk.inode_bytes.get() != superblock.inode_size ||
      chunk.count != uint64_t{chunk.length} << superblock.inodes_per_block_log) {
    return DamagedLog(absl::StrCat(
        "a chunk of ", chunk.count, " inodes of ", disk.inode_bytes.get(), " bytes in ",
        chunk.length, " blocks at block ", chunk.block_in_ag, " of allocation group ", chunk.ag));
  }
  return chunk;
}

std::vector<std::byte> FreeInode(const Superblock& superblock, InodeNumber number,
                                 uint32_t generation) {
  std::vector<std::byte> inode(superblock.inode_size);
  DiskInode disk = {};
  disk.magic.set(kInodeMagic);
  disk.version = superblock.is_v5() ? 3 : 2;
  disk.generation.set(generation);
  disk.next_unlinked.set(kNoInode);
  if (superblock.is_v5()) {
    disk.inode_number.set(number);
    disk.uuid = superblock.meta_uuid;
  }
  const std::byte* const bytes = reinterpret_cast<const std::byte*>(&disk);
  std::copy_n(bytes, std::min(sizeof disk, inode.size()), inode.begin());
  if (superblock.is_v5()) {
    PutChecksum(absl::MakeSpan(inode), offsetof(DiskInode, crc));
  }
  return inode;
}

}  // namespace

absl::Status RecoverInodeCreate(ReplayTarget& target, uint64_t lsn, const LogItem& item) {
  const Superblock& superblock = target.superblock;
  IOMAP_ASSIGN_OR_RETURN(const Chunk chunk, ParseChunk(superblock, item));
  const std::string name = absl::StrCat(chunk.count, " new inodes");
  // Not AddressOfBlock: a group that a transaction has added does not exist yet.
  const uint64_t first_block = uint64_t{chunk.ag} * superblock.ag_blocks + chunk.block_in_ag;
  if (first_block >= target.device.size() >> superblock.block_log) {
    return DamagedLog(absl::StrCat(name, " at block ", chunk.block_in_ag, " of allocation group ",
                                   chunk.ag, ", past the device"));
  }
  const uint32_t cluster = ClusterBlocks(superblock);
  const uint32_t sectors_log = superblock.block_log - 9u;
  for (uint32_t block = 0; block < chunk.length; block += cluster) {
    if (target.cancels.Contains({(first_block + block) << sectors_log, cluster << sectors_log})) {
      target.Report(lsn, name + ", cancelled", {});
      return absl::OkStatus();
    }
  }
  const ByteRange place{first_block << superblock.block_log,
                        uint64_t{chunk.length} << superblock.block_log};
  IOMAP_RETURN_IF_ERROR(target.View(name, place).status());
  if (place.length > target.new_inode_bytes_left) {
    return DamagedLog(absl::StrCat(name, " at byte ", place.offset, ", after more than ",
                                   kMostNewInodeBytesPerLogByte,
                                   " times as many bytes of new inodes as the log has"));
  }
  target.new_inode_bytes_left -= place.length;
  target.Report(lsn, name, place);
  const InodeNumber first = superblock.FsBlock(chunk.ag, chunk.block_in_ag)
                            << superblock.inodes_per_block_log;
  for (uint32_t i = 0; i < chunk.count; ++i) {
    IOMAP_RETURN_IF_ERROR(target.device.Write(place.offset + (uint64_t{i} << superblock.inode_log),
                                              FreeInode(superblock, first + i, chunk.generation)));
  }
  return absl::OkStatus();
}

}  // namespace iomap::xfs
