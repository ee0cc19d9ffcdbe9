#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/format.h"
#include "backends/xfs/volume.h"
#include "iomap/attributes.h"

namespace iomap::xfs {

// An inode as the medium has it: checked, and copied, so that its data fork stays as it was
// checked. Sizes in bytes. Movable; the copy does not move in memory.
struct Inode {
  Attributes attributes;
  ForkFormat fork_format = ForkFormat::kExtents;
  uint64_t extent_count = 0;  // of the data fork; 0 when that is local
  uint64_t block_count = 0;   // all blocks that the inode owns
  bool on_realtime_device = false;
  bool may_share_blocks = false;  // reflink: some extents may be shared
  std::vector<std::byte> bytes;   // the whole inode
  uint32_t fork_begin = 0;        // where its data fork lies
  uint32_t fork_bytes = 0;

  InodeNumber number() const { return attributes.inode; }
  absl::Span<const std::byte> fork() const {
    return absl::MakeConstSpan(bytes).subspan(fork_begin, fork_bytes);
  }
  // What a local fork holds.
  absl::Span<const std::byte> local() const {
    return fork().first(static_cast<size_t>(attributes.size));
  }
};

// Reads inode `number`, which the inode tree says is allocated. DataLoss when it is damaged.
absl::StatusOr<Inode> ReadInode(const Volume& volume, InodeNumber number);

}  // namespace iomap::xfs
