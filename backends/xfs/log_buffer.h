#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/xfs/buffer_cancels.h"
#include "backends/xfs/log_transaction.h"

namespace iomap::xfs {

// What the first region of a buffer item says, checked: the buffer is at most 64 KiB long and
// begins within 2^63 bytes.
struct LogBuffer {
  BufferPlace place = {};
  uint16_t flags = 0;
  std::vector<uint32_t> map = {};  // a bit for each 128 bytes

  LogBufferKind kind() const { return static_cast<LogBufferKind>(flags >> kLogBufferKindShift); }
  bool is_cancel() const { return (flags & kLogBufferCancel) != 0; }
  bool holds_inodes() const { return (flags & kLogBufferInodes) != 0; }
  uint64_t address() const { return place.block * kBasicBlockSize; }  // bytes
  uint32_t bytes() const { return place.block_count * kBasicBlockSize; }
};

// Checks where a buffer that the log names lies. DataLoss.
absl::StatusOr<BufferPlace> CheckBufferPlace(uint64_t block, uint64_t block_count);

// Parses the first region of `item`, whose type is kBuffer. DataLoss.
absl::StatusOr<LogBuffer> ParseLogBuffer(const LogItem& item);

// Calls `run` for each run of bytes of the buffer that `item` holds, in order: its offset in the
// buffer, and the bytes. DataLoss when regions and map do not belong to each other.
absl::Status ForEachLoggedRun(
    const LogBuffer& buffer, const LogItem& item,
    absl::FunctionRef<absl::Status(uint32_t offset, absl::Span<const std::byte> bytes)> run);

}  // namespace iomap::xfs
