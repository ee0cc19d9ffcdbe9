#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/ext4/format.h"
#include "backends/ext4/superblock.h"
#include "dax/device.h"

namespace iomap::ext4 {

// What every reader of one file system shares: its devices, its superblock, its blocks. Safe for
// concurrent use; it does not move and outlives the files.
class Volume {
 public:
  // Reads the superblock. Errors: ParseSuperblock; DataLoss when the device is too short to have
  // one.
  static absl::StatusOr<std::unique_ptr<Volume>> Open(dax::DeviceSet devices);

  // Reads the superblock again, and forgets what was verified: after the device was written. Errors
  // as of Open. Not while another thread uses the volume.
  absl::Status Reload();

  // The file system counts as one with errors from now on.
  void NoteError() { superblock_.state |= kStateError; }

  // An inode that a replay would have to change and cannot: whoever opens it is told `why`,
  // which names it.
  void Refuse(uint32_t inode, absl::string_view why) { refused_.emplace(inode, why); }
  // Unimplemented when it is refused.
  absl::Status CheckNotRefused(uint64_t inode) const;

  const dax::DeviceSet& devices() const { return devices_; }
  const dax::Device& device() const { return *devices_.front(); }
  dax::Device& device() { return *devices_.front(); }
  const Superblock& superblock() const { return superblock_; }

  // The number of blocks that can be read: fewer than the superblock says when the image is
  // truncated.
  uint64_t readable_blocks() const { return readable_blocks_; }

  // True when [block, block + count) are blocks that a file may own and that the device has.
  bool HasBlocks(uint64_t block, uint64_t count) const {
    return block > superblock_.first_data_block && count <= readable_blocks_ &&
           block <= readable_blocks_ - count;
  }

  // The bytes of one metadata block. DataLoss when the volume does not have it.
  absl::StatusOr<absl::Span<const std::byte>> Block(uint64_t block) const;

  // The place of a directory block, block `index` of directory `owner`, once it is verified;
  // nothing before. A block has one place in a directory: were it in many, a small image could hold
  // a directory without end.
  std::optional<uint64_t> VerifiedIndex(uint64_t block, uint32_t owner) const;
  void NoteVerified(uint64_t block, uint32_t owner, uint64_t index);

 private:
  Volume(dax::DeviceSet devices, Superblock superblock);

  const dax::DeviceSet devices_;
  Superblock superblock_;
  uint64_t readable_blocks_;
  absl::flat_hash_map<uint64_t, std::string> refused_;
  mutable std::mutex mutex_;  // guards verified_
  // (block, owner) -> index in the owner.
  absl::flat_hash_map<std::pair<uint64_t, uint32_t>, uint64_t> verified_;
};

}  // namespace iomap::ext4
