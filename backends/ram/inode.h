#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/ram/blocks.h"
#include "backends/ram/extents.h"
#include "iomap/attributes.h"
#include "iomap/mutex.h"

namespace iomap::ram {

// One inode, open or not. `map` guards what follows it; names are the file system's affair.
struct Inode {
  Inode(InodeNumber number, uint32_t mode, Blocks* blocks, uint8_t device)
      : number(number), mode(mode), blocks(blocks), device(device) {}
  ~Inode() { GiveBack(extents.Remove(ByteRange::All())); }

  // Takes back blocks that no mapping of this file names any more.
  void GiveBack(const std::vector<Extent>& removed) const {
    for (const Extent& extent : removed) {
      blocks->RemoveUser(extent.place());
    }
  }

  const InodeNumber number;
  const uint32_t mode;
  Blocks* const blocks;  // of the device that its data lies on
  const uint8_t device;

  SharedMutex map{LockRank::kMap};
  Extents extents;
  uint64_t size = 0;
  std::vector<std::byte> inline_data;  // the whole file, when not empty

  std::string target;                        // of a symbolic link
  std::map<std::string, InodeNumber> names;  // of a directory
  InodeNumber parent = 0;                    // of a directory
  uint32_t link_count = 1;
};

}  // namespace iomap::ram
