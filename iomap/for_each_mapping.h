#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "iomap/byte_range.h"
#include "iomap/file.h"
#include "iomap/mapping.h"
#include "iomap/status_macros.h"

namespace iomap {

// File::MapForRead or File::MapForReport.
using MapMethod = absl::StatusOr<size_t> (File::*)(const ByteRange&, absl::Span<Mapping>);

// What the body of a loop wants next.
enum class Walk { kContinue, kStop };

// The four facts that hold for every answer of a backend: there is at least one mapping; the first
// holds `position`; each next one begins where the last ended; none is empty or passes
// ByteRange::kMaxOffset. Internal, with the inode and the mapping, when one does not: a backend
// cannot lie quietly.
absl::Status CheckAnswer(const File& file, absl::Span<const Mapping> answer, uint64_t position);

// The last two facts for one mapping: it begins at `next`, which is at most kMaxOffset, is not
// empty and does not pass kMaxOffset.
inline bool GoesOnAt(const Mapping& mapping, uint64_t next) {
  // As a signed number, an end past kMaxOffset is negative, and one that wraps is below `next`.
  return mapping.offset == next &&
         static_cast<int64_t>(next + mapping.length) > static_cast<int64_t>(next);
}

// How many mappings one call of a MapMethod is asked for.
inline constexpr size_t kMappingsPerCall = 256;

// The one loop. Calls body(mapping, part) for the mappings of `range` in order, where `part` is the
// bytes of the range that the mapping holds; the parts cover the range without gaps, holes
// included. The body returns Walk or StatusOr<Walk>. Stops at the first error of the file or the
// body.
//
// Safe to run at once on one file. A file that changes meanwhile gives answers of different
// moments.
//
// Always inlined, which its buffer would keep a compiler from: what the body captures then stays in
// registers.
template <typename Body>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status ForEachMapping(File& file, MapMethod method,
                                                                const ByteRange& range,
                                                                Body&& body) {
  // Raw storage: mappings that nobody asked for are not initialised.
  alignas(Mapping) std::byte storage[kMappingsPerCall * sizeof(Mapping)];
  const absl::Span<Mapping> out(reinterpret_cast<Mapping*>(storage), kMappingsPerCall);
  const uint64_t end = range.end();
  uint64_t position = range.offset;
  while (position < end) {
    IOMAP_ASSIGN_OR_RETURN(const size_t count,
                           (file.*method)(ByteRange::Between(position, end), out));
    const uint64_t asked = position;
    if (count == 0 || count > out.size() || !out.front().range().Contains(asked)) [[unlikely]] {
      return CheckAnswer(file, out.first(count > out.size() ? 0 : count), asked);
    }
    uint64_t next = out.front().offset;
    for (const Mapping& mapping : out.first(count)) {
      if (!GoesOnAt(mapping, next)) [[unlikely]] {
        return CheckAnswer(file, out.first(count), asked);
      }
      next = mapping.end();
      const bool is_last = next >= end;
      const ByteRange part = ByteRange::Between(position, is_last ? end : next);
      Walk walk;
      if constexpr (std::is_same_v<decltype(body(mapping, part)), Walk>) {
        walk = body(mapping, part);
      } else {
        IOMAP_ASSIGN_OR_RETURN(walk, body(mapping, part));
      }
      if (walk == Walk::kStop) {
        return absl::OkStatus();
      }
      if (is_last) {  // of the range, if not of the answer
        return next == out[count - 1].end() ? absl::OkStatus()
                                            : CheckAnswer(file, out.first(count), asked);
      }
      position = next;
    }
  }
  return absl::OkStatus();
}

// The checked mapping that holds the byte at `position`; position is at most kMaxOffset - 1.
absl::StatusOr<Mapping> MappingAt(File& file, MapMethod method, uint64_t position);

// The checked mapping that holds the first byte of `range`, for who needs to know of as many bytes
// as one mapping tells: a hole reaches as far as it was asked for.
absl::StatusOr<Mapping> FirstMapping(File& file, MapMethod method, const ByteRange& range);

}  // namespace iomap
