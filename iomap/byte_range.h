#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "iomap/check.h"

namespace iomap {

// A half-open range of bytes, [offset, offset + length), in a file or on a device. A valid range
// never passes kMaxOffset (2^63 - 1, the largest file offset of Linux), so end() cannot wrap. A
// plain value.
struct ByteRange {
  static constexpr uint64_t kMaxOffset = std::numeric_limits<int64_t>::max();

  uint64_t offset = 0;
  uint64_t length = 0;

  // A range from numbers that came from outside. OutOfRange when it would pass kMaxOffset.
  static absl::StatusOr<ByteRange> Make(uint64_t offset, uint64_t length) {
    if (offset > kMaxOffset || length > kMaxOffset - offset) {
      return absl::OutOfRangeError(
          absl::StrCat("byte range at ", offset, " of ", length, " bytes passes 2^63-1"));
    }
    return ByteRange{offset, length};
  }

  // A range from numbers that are known to be right.
  static constexpr ByteRange Between(uint64_t begin, uint64_t end) {
    return ByteRange{begin, end - begin};
  }

  static constexpr ByteRange All() { return ByteRange{0, kMaxOffset}; }

  constexpr uint64_t end() const { return offset + length; }
  constexpr bool empty() const { return length == 0; }
  constexpr bool Contains(uint64_t position) const {
    return position >= offset && position - offset < length;
  }
  constexpr bool Contains(const ByteRange& other) const {
    return other.offset >= offset && other.end() <= end();
  }
  constexpr bool Overlaps(const ByteRange& other) const {
    return offset < other.end() && other.offset < end();
  }

  // The bytes that both ranges have; empty, at the larger offset, when there are none.
  constexpr ByteRange Intersect(const ByteRange& other) const {
    const uint64_t begin = std::max(offset, other.offset);
    return Between(begin, std::max(begin, std::min(end(), other.end())));
  }

  // What is left from `position` on.
  constexpr ByteRange From(uint64_t position) const {
    return Between(std::clamp(position, offset, end()), end());
  }

  // The smallest range of whole units that holds this one, cut off at kMaxOffset. `unit`, in bytes,
  // is a power of two.
  constexpr ByteRange AlignOutward(uint64_t unit) const {
    const uint64_t begin = offset & ~(unit - 1);
    const uint64_t rounded_end = (end() + unit - 1) & ~(unit - 1);
    return Between(begin, std::min(rounded_end, kMaxOffset));
  }

  friend constexpr bool operator==(const ByteRange&, const ByteRange&) = default;
};

}  // namespace iomap
