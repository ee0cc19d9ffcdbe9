#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "backends/open_options.h"
#include "backends/xfs/buffer_cancels.h"
#include "backends/xfs/log_ring.h"
#include "backends/xfs/superblock.h"
#include "dax/device.h"

namespace iomap::xfs {

// What the items of a log are replayed into. The superblock is the one from before the replay; what
// of it a transaction may change (the number of groups, counters) is not used.
struct ReplayTarget {
  dax::Device& device;
  const Superblock& superblock;
  const backends::ReplayObserver& observer;
  BufferCancels cancels;  // those in front of what is replayed now
  // How much may still be written as new inodes, for which an item of some 30 bytes is enough.
  uint64_t new_inode_bytes_left = 0;

  // The bytes at `place`, where `what` of the log lies. DataLoss past the end of the device.
  absl::StatusOr<absl::Span<const std::byte>> View(absl::string_view what,
                                                   const ByteRange& place) const {
    absl::StatusOr<absl::Span<const std::byte>> view = device.View(place);
    return view.ok() ? view : DamagedLog(absl::StrCat(what, ": ", view.status().message()));
  }

  // Tells the observer, when there is one; an empty `place` for what changes nothing.
  void Report(uint64_t lsn, std::string what, const ByteRange& place) const {
    if (observer) {
      observer({.sequence = lsn, .what = std::move(what), .place = place});
    }
  }
};

}  // namespace iomap::xfs
