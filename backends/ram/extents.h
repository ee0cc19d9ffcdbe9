#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "iomap/byte_range.h"

namespace iomap::ram {

// One range of a file that has blocks.
struct Extent {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t address = 0;
  bool unwritten = false;

  uint64_t end() const { return offset + length; }
  ByteRange range() const { return ByteRange{offset, length}; }
  ByteRange place() const { return ByteRange{address, length}; }
  // The part of it that `range`, which it overlaps, has too.
  Extent Slice(const ByteRange& range) const;

  friend bool operator==(const Extent&, const Extent&) = default;
};

// A file's extents, by offset; what lies between them is holes. Ranges are whole blocks. Not
// thread-safe.
class Extents {
 public:
  // The extent that holds `offset`, or the first one behind it.
  std::optional<Extent> AtOrAfter(uint64_t offset) const;
  // Those that overlap `range`, cut to it.
  std::vector<Extent> In(const ByteRange& range) const;

  // Where there is a hole.
  void Insert(const Extent& extent);
  // What it takes out of `range`.
  std::vector<Extent> Remove(const ByteRange& range);
  // Moves everything from `offset` on up or down by `bytes`; where it lands is a hole.
  void Shift(uint64_t offset, int64_t bytes);

  uint64_t allocated_bytes() const { return allocated_bytes_; }

 private:
  std::map<uint64_t, Extent> extents_;
  uint64_t allocated_bytes_ = 0;
};

}  // namespace iomap::ram
