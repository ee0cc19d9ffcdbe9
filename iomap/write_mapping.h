#pragma once

#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "iomap/byte_range.h"
#include "iomap/mapping.h"

namespace iomap {

// Space that was set aside for a write, in memory alone: no lock is held for it, no transaction is
// open, and nobody sees it before Commit. Dropped without one, it gives everything back.
class Reservation {
 public:
  virtual ~Reservation();

  // Makes `written`, bytes of the mapping that are stored and drained, the file's, in one
  // transaction; the file's size with them when they pass it. What the reservation holds beyond
  // `written` is given back. Aborted: the map of these bytes is no longer what it was when they
  // were asked for, nothing was done, ask again. Called once.
  virtual absl::Status Commit(const ByteRange& written) = 0;

 protected:
  Reservation() = default;
};

// Where a range of a file may be written.
struct WriteMapping {
  // kMapped or, with a reservation, kUnwritten. Where it is unwritten or kNew, the bytes at the
  // address are not the file's yet, and whoever writes a part of a block sees to the rest of it.
  Mapping target = {};
  // The old bytes, when those of `target` are a copy to be made (copy on write): same range.
  std::optional<Mapping> source = std::nullopt;
  // Null for an overwrite in place that does not change the size.
  std::unique_ptr<Reservation> reservation = nullptr;

  // True when the target's bytes come from nowhere: what is not written must be zeroed.
  bool needs_zeroes() const {
    return !source.has_value() && reservation != nullptr &&
           (HasFlag(target.flags, MappingFlag::kNew) || target.type == MappingType::kUnwritten);
  }

  absl::Status Commit(const ByteRange& written) {
    return reservation == nullptr ? absl::OkStatus() : reservation->Commit(written);
  }
};

// The write form of the one loop. Asks for the mappings of `range` in order; body(mapping, part)
// stores the bytes of `part` to the target and drains; then the part is committed. A Commit that is
// Aborted asks again for the same bytes. Stops at the first error. An answer that does not hold the
// position, is empty, overflows, or has no address, is Internal: a backend cannot lie quietly.
absl::Status ForEachWriteMapping(
    const ByteRange& range, absl::FunctionRef<absl::StatusOr<WriteMapping>(const ByteRange&)> ask,
    absl::FunctionRef<absl::Status(const WriteMapping& mapping, const ByteRange& part)> body);

}  // namespace iomap
