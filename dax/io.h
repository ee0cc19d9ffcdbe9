#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/file.h"

namespace iomap::dax {

// pread(2): copies the file's bytes from `offset` on to `out`, zeros for holes and unwritten
// ranges, and returns how many there were; fewer than asked for only at the end of file. DataLoss
// when a mapping points past its device, FailedPrecondition when the bytes are not the file's plain
// bytes (kEncoded). With the io lock shared: `out` may be a page that faults.
absl::StatusOr<size_t> Read(File& file, uint64_t offset, absl::Span<std::byte> out);

// What of a write must be durable when it returns, beside the bytes themselves, which always are.
enum class WriteSync : uint8_t {
  kBytes,  // nothing: like write(2) on a DAX mount, the extents and the size may follow with fsync
  kData,   // what is needed to find them, and the bytes that were stored there (O_DSYNC)
  kFile,   // everything about the file (O_SYNC)
};

// pwrite(2): stores `bytes` past the cache, drains, and only then makes new blocks and a new size
// the file's. With the io lock: `bytes` may be a page that faults. ResourceExhausted when there is
// no space; what fitted is written.
absl::Status Write(File& file, uint64_t offset, absl::Span<const std::byte> bytes,
                   WriteSync sync = WriteSync::kBytes);

// Makes `range` read as zeros, durably, without allocating: holes and unwritten ranges are passed
// over. Under both locks: nobody else changes extents, but by page faults, and pages that another
// file shares are copied and leave.
absl::Status Zero(File& file, const IoExclusive& io, const InvalidateHeld& invalidate,
                  const ByteRange& range);

// What lies in the last block past the end of file is nobody's, and may be anything. Zeroes what of
// it becomes a part of the file when that grows from `size` to `new_size`: to be called before.
absl::Status ZeroPastEnd(File& file, const IoExclusive& io, const InvalidateHeld& invalidate,
                         uint64_t size, uint64_t new_size);

// Makes shared ranges of `range` the file's own, with the same bytes.
absl::Status Unshare(File& file, const IoExclusive& io, const InvalidateHeld& invalidate,
                     const ByteRange& range);

}  // namespace iomap::dax
