#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "iomap/byte_range.h"
#include "iomap/file.h"
#include "iomap/mapping.h"

namespace iomap {

// The state bits of a buffer head that an old get_block function sets. None: a hole.
enum class BufferState : uint8_t {
  kNone = 0,
  kMapped = 1 << 0,     // BH_Mapped: `block` is valid
  kNew = 1 << 1,        // BH_New: allocated by this call
  kUnwritten = 1 << 2,  // BH_Unwritten: allocated, reads as zeros; goes with kMapped or alone
  kDelay = 1 << 3,      // BH_Delay: reserved, not allocated yet
};

constexpr BufferState operator|(BufferState a, BufferState b) {
  return static_cast<BufferState>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}
// True when the bit `state` is set.
constexpr bool HasState(BufferState states, BufferState state) {
  return (static_cast<uint8_t>(states) & static_cast<uint8_t>(state)) != 0;
}

// What get_block leaves in a buffer head.
struct BlockAnswer {
  uint64_t block = 0;  // in units of the block size, from the start of the device
  BufferState state = BufferState::kNone;
  uint8_t device = 0;
  // b_size, in blocks: the answer holds for so many blocks of the file from the one asked for, at
  // following block numbers when there are numbers. A function that answers for one block leaves it
  // at 1.
  uint64_t blocks = 1;
};

// An old get_block function of one file: which block holds block `file_block`?
using GetBlock = absl::FunctionRef<absl::StatusOr<BlockAnswer>(uint64_t file_block)>;

// Wraps a get_block function as the body of File::MapForRead: asks block by block and joins
// neighbours. Answers short after `most_calls` calls, so that a large range costs bounded time a
// call; `most_calls` is at least 1. Internal when an answer holds for no block or has contradicting
// state bits.
absl::StatusOr<size_t> MapByGetBlock(GetBlock get_block, uint32_t block_size,
                                     const ByteRange& range, absl::Span<Mapping> out,
                                     size_t most_calls);

// And back: what a get_block function would say of any file. Inline data has no block:
// FailedPrecondition.
absl::StatusOr<BlockAnswer> GetBlockOf(File& file, uint64_t file_block, uint32_t block_size);

}  // namespace iomap
