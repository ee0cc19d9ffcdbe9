#pragma once

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace iomap::xfs {

// A buffer of the log: basic blocks (512 bytes) from the start of the device.
struct BufferPlace {
  uint64_t block = 0;
  uint32_t block_count = 0;

  uint64_t end() const { return block + block_count; }

  friend bool operator==(const BufferPlace&, const BufferPlace&) = default;
  template <typename Hash>
  friend Hash AbslHashValue(Hash hash, const BufferPlace& place) {
    return Hash::combine(std::move(hash), place.block, place.block_count);
  }
};

// The buffers whose blocks are freed somewhere in the log. What was logged of them before must not
// be replayed: the blocks may hold the data of a file by now. The first pass counts them, the
// second counts them down as it passes them.
class BufferCancels {
 public:
  void Add(const BufferPlace& place) { ++counts_[place]; }
  void Remove(const BufferPlace& place) {
    const auto found = counts_.find(place);
    if (found != counts_.end() && --found->second == 0) {
      counts_.erase(found);
    }
  }
  // True when it is still to be freed.
  bool Contains(const BufferPlace& place) const { return counts_.contains(place); }

 private:
  absl::flat_hash_map<BufferPlace, uint32_t> counts_;
};

}  // namespace iomap::xfs
