#include "backends/ram/blocks.h"

#include <algorithm>
#include <bit>

#include "iomap/check.h"

namespace iomap::ram {

Blocks::Blocks(uint64_t device_bytes)
    : users_(device_bytes / kBlockBytes), free_(device_bytes / kBlockBytes) {}

uint64_t Blocks::FreeRunAt(uint64_t block, uint64_t most) const {
  uint64_t length = 0;
  while (length < most && block + length < users_.size() && users_[block + length] == 0) {
    ++length;
  }
  return length;
}

absl::StatusOr<ByteRange> Blocks::Allocate(uint64_t most_bytes) {
  const uint64_t most = std::max<uint64_t>(most_bytes / kBlockBytes, 1);
  const MutexLock lock(mutex_);
  if (free_ == 0) {
    return absl::ResourceExhaustedError("no free block");
  }
  uint64_t best = 0;
  uint64_t best_length = 0;
  const bool aligned = most > 1 && std::has_single_bit(most);
  for (uint64_t block = 0; aligned && block < users_.size() && best_length < most; block += most) {
    best_length = FreeRunAt(block, most) == most ? most : 0;
    best = block;
  }
  for (uint64_t passed = 0; best_length == 0 && passed < users_.size(); ++passed) {
    const uint64_t block = (next_ + passed) % users_.size();
    best_length = FreeRunAt(block, most);
    best = block;
  }
  for (uint64_t block = best; block < best + best_length; ++block) {
    users_[block] = 1;
  }
  free_ -= best_length;
  next_ = best + best_length;
  return ByteRange{best * kBlockBytes, best_length * kBlockBytes};
}

void Blocks::AddUser(const ByteRange& place) {
  const MutexLock lock(mutex_);
  for (uint64_t block = place.offset / kBlockBytes; block < place.end() / kBlockBytes; ++block) {
    IOMAP_CHECK(users_[block] > 0);
    ++users_[block];
  }
}

void Blocks::RemoveUser(const ByteRange& place) {
  const MutexLock lock(mutex_);
  for (uint64_t block = place.offset / kBlockBytes; block < place.end() / kBlockBytes; ++block) {
    IOMAP_CHECK(users_[block] > 0);
    --users_[block];
    free_ += users_[block] == 0 ? 1 : 0;
  }
}

Blocks::Sharing Blocks::SharingAt(const ByteRange& place) {
  const MutexLock lock(mutex_);
  const uint64_t first = place.offset / kBlockBytes;
  const bool shared = users_[first] > 1;
  uint64_t block = first;
  while (block < place.end() / kBlockBytes && (users_[block] > 1) == shared) {
    ++block;
  }
  return Sharing{(block - first) * kBlockBytes, shared};
}

uint64_t Blocks::free_bytes() {
  const MutexLock lock(mutex_);
  return free_ * kBlockBytes;
}

}  // namespace iomap::ram
