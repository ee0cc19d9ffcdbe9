#include "iomap/thread_index.h"

#include <atomic>
#include <optional>

namespace iomap {
namespace {

std::atomic<uint32_t> next_index = 0;
thread_local std::optional<uint32_t> own_index;

}  // namespace

uint32_t ThreadIndex() {
  if (!own_index.has_value()) {
    own_index = next_index.fetch_add(1, std::memory_order_relaxed);
  }
  return *own_index;
}

void SetThreadIndex(uint32_t index) { own_index = index; }

}  // namespace iomap
