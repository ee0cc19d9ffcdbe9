#include "backends/buffer_overlay.h"

namespace iomap::backends {

BufferOverlay::Shard& BufferOverlay::ShardOf(uint64_t address) const {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;  // neighbours go to different shards
  return shards_[(address * kGolden) >> 60];
}

std::shared_ptr<OverlayImage> BufferOverlay::Find(uint64_t address) const {
  if (empty()) {
    return nullptr;
  }
  Shard& shard = ShardOf(address);
  const MutexLock lock(shard.mutex);
  const auto found = shard.images.find(address);
  return found == shard.images.end() ? nullptr : found->second;
}

std::shared_ptr<OverlayImage> BufferOverlay::Put(std::shared_ptr<OverlayImage> image) {
  Shard& shard = ShardOf(image->buffer.address);
  const MutexLock lock(shard.mutex);
  const auto [place, is_new] = shard.images.try_emplace(image->buffer.address, image);
  if (is_new) {
    count_.fetch_add(1, std::memory_order_acq_rel);
  } else if (place->second->sequence != image->sequence) {
    place->second = std::move(image);
  }
  return place->second;
}

void BufferOverlay::EraseUpTo(uint64_t address, Sequence sequence) {
  Shard& shard = ShardOf(address);
  const MutexLock lock(shard.mutex);
  const auto found = shard.images.find(address);
  if (found != shard.images.end() && found->second->sequence <= sequence) {
    shard.images.erase(found);
    count_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace iomap::backends
