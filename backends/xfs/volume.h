#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/superblock.h"
#include "dax/device.h"

namespace iomap::xfs {

// What every part of the backend reads from: the devices and the superblock that describes them.
// Does not change after it is made; safe for concurrent use.
struct Volume {
  dax::DeviceSet devices;  // the main device, then, perhaps, the realtime device
  Superblock superblock;

  const dax::Device& main_device() const { return *devices.front(); }
  bool has_realtime_device() const { return devices.size() > 1; }

  // The bytes of `count` blocks from `fsblock` on, which Superblock::ContainsBlocks.
  absl::StatusOr<absl::Span<const std::byte>> ViewBlocks(uint64_t fsblock, uint64_t count) const {
    return main_device().View(
        ByteRange{superblock.AddressOfBlock(fsblock), count << superblock.block_log});
  }
};

}  // namespace iomap::xfs
