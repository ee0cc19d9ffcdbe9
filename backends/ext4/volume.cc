#include "backends/ext4/volume.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

absl::StatusOr<Superblock> ReadSuperblock(const dax::Device& device) {
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes,
                         device.View(ByteRange{kSuperblockOffset, sizeof(DiskSuperblock)}));
  return ParseSuperblock(bytes);
}

uint64_t ReadableBlocks(const dax::Device& device, const Superblock& superblock) {
  return std::min(superblock.block_count, device.size() >> superblock.block_shift);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Volume>> Volume::Open(dax::DeviceSet devices) {
  IOMAP_ASSIGN_OR_RETURN(Superblock superblock, ReadSuperblock(*devices.front()));
  return std::unique_ptr<Volume>(new Volume(std::move(devices), std::move(superblock)));
}

Volume::Volume(dax::DeviceSet devices, Superblock superblock)
    : devices_(std::move(devices)),
      superblock_(std::move(superblock)),
      readable_blocks_(ReadableBlocks(*devices_.front(), superblock_)) {}

absl::Status Volume::Reload() {
  IOMAP_ASSIGN_OR_RETURN(Superblock superblock, ReadSuperblock(device()));
  // Nothing changes these while a file system is mounted, and what was read of the journal was
  // measured by them.
  if (superblock.block_size != superblock_.block_size ||
      superblock.inode_size != superblock_.inode_size) {
    return absl::DataLossError(absl::StrCat("ext4 superblock in the journal: blocks of ",
                                            superblock.block_size, " bytes and inodes of ",
                                            superblock.inode_size, ", not ", superblock_.block_size,
                                            " and ", superblock_.inode_size));
  }
  // A mount has seen an error before it replays the journal, which may not know of it.
  superblock.state |= superblock_.state & kStateError;
  superblock_ = std::move(superblock);
  readable_blocks_ = ReadableBlocks(device(), superblock_);
  const std::lock_guard<std::mutex> lock(mutex_);
  verified_.clear();
  return absl::OkStatus();
}

absl::Status Volume::CheckNotRefused(uint64_t inode) const {
  const auto refused = refused_.find(inode);
  return refused == refused_.end() ? absl::OkStatus() : absl::UnimplementedError(refused->second);
}

absl::StatusOr<absl::Span<const std::byte>> Volume::Block(uint64_t block) const {
  if (block >= readable_blocks_) {
    return absl::DataLossError(absl::StrCat("ext4 block ", block, ": the file system has ",
                                            superblock_.block_count, " blocks, the device ",
                                            device().size() >> superblock_.block_shift));
  }
  return device().View(ByteRange{block << superblock_.block_shift, superblock_.block_size});
}

std::optional<uint64_t> Volume::VerifiedIndex(uint64_t block, uint32_t owner) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = verified_.find({block, owner});
  return found == verified_.end() ? std::nullopt : std::optional<uint64_t>(found->second);
}

void Volume::NoteVerified(uint64_t block, uint32_t owner, uint64_t index) {
  const std::lock_guard<std::mutex> lock(mutex_);
  verified_.try_emplace({block, owner}, index);
}

}  // namespace iomap::ext4
