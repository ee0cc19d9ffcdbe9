#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/inode.h"

namespace iomap::ext4 {

// The two pieces of an inode's inline data: i_block, and the value of the in-inode extended
// attribute system.data, empty when there is none. Both point into `inode`. DataLoss when the
// attributes are damaged.
struct InlineData {
  absl::Span<const std::byte> first;
  absl::Span<const std::byte> second;
};
absl::StatusOr<InlineData> FindInlineData(const Inode& inode);

}  // namespace iomap::ext4
