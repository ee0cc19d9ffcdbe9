#pragma once

#include <cstddef>
#include <type_traits>

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

// How many mappings one call of a MapMethod is asked for.
inline constexpr size_t kMappingsPerCall = 256;

// The one loop. Calls body(mapping, part) for the mappings of `range` in order, where `part` is the
// bytes of the range that the mapping holds; the parts cover the range without gaps, holes
// included. The body returns Walk or StatusOr<Walk>. Stops at the first error of the file or the
// body.
//
// Safe to run at once on one file. A file that changes meanwhile gives answers of different
// moments.
template <typename Body>
absl::Status ForEachMapping(File& file, MapMethod method, const ByteRange& range, Body&& body) {
  // Raw storage: mappings that nobody asked for are not initialised.
  alignas(Mapping) std::byte storage[kMappingsPerCall * sizeof(Mapping)];
  const absl::Span<Mapping> out(reinterpret_cast<Mapping*>(storage), kMappingsPerCall);
  uint64_t position = range.offset;
  while (position < range.end()) {
    const ByteRange rest = range.From(position);
    IOMAP_ASSIGN_OR_RETURN(const size_t count, (file.*method)(rest, out));
    if (count > out.size()) [[unlikely]] {
      return CheckAnswer(file, {}, position);
    }
    const absl::Span<const Mapping> answer = out.first(count);
    IOMAP_RETURN_IF_ERROR(CheckAnswer(file, answer, position));
    for (const Mapping& mapping : answer) {
      const ByteRange part = mapping.range().Intersect(rest);
      if (part.empty()) {
        break;
      }
      Walk walk;
      if constexpr (std::is_same_v<decltype(body(mapping, part)), Walk>) {
        walk = body(mapping, part);
      } else {
        IOMAP_ASSIGN_OR_RETURN(walk, body(mapping, part));
      }
      if (walk == Walk::kStop) {
        return absl::OkStatus();
      }
      position = part.end();
    }
  }
  return absl::OkStatus();
}

// The checked mapping that holds the byte at `position`; position is at most kMaxOffset - 1.
absl::StatusOr<Mapping> MappingAt(File& file, MapMethod method, uint64_t position);

}  // namespace iomap
