#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/file.h"

namespace iomap::dax {

// pread(2): copies the file's bytes from `offset` on to `out`, zeros for holes and unwritten
// ranges, and returns how many there were; fewer than asked for only at the end of file. DataLoss
// when a mapping points past its device, FailedPrecondition when the bytes are not the file's plain
// bytes (kEncoded).
absl::StatusOr<size_t> Read(File& file, uint64_t offset, absl::Span<std::byte> out);

}  // namespace iomap::dax
