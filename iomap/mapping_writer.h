#pragma once

#include <cstddef>

#include "absl/types/span.h"
#include "iomap/byte_range.h"
#include "iomap/check.h"
#include "iomap/mapping.h"

namespace iomap {

// Fills the span that a caller gave to File::MapForRead or MapForReport: a backend's local
// variable. It keeps the answer contiguous: a gap in front of an appended mapping becomes a hole.
//
//   MappingWriter writer(range, out);
//   for (each extent from the one that holds range.offset) if (!writer.Append(extent)) break;
//   writer.AppendHoleUntil(range.end());
//   return writer.count();
//
// Not thread-safe.
class MappingWriter {
 public:
  MappingWriter(const ByteRange& range, absl::Span<Mapping> out)
      : begin_(out.data()),
        next_(out.data()),
        limit_(out.data() + out.size()),
        end_(range.end()),
        position_(range.offset) {
    IOMAP_CHECK(!out.empty());
  }

  // The first byte of the file that the answer does not cover yet.
  uint64_t position() const { return position_; }
  size_t count() const { return static_cast<size_t>(next_ - begin_); }

  // True while there is room in the span and the range is not covered.
  bool wants_more() const { return next_ != limit_ && position_ < end_; }

  // Adds `mapping`, with a hole in front of it when it begins behind position(). It may begin in
  // front of the range when it holds the range's first byte; one that ends at or before position()
  // is passed over. False: no more is wanted.
  bool Append(const Mapping& mapping) {
    if (mapping.end() <= position_) {
      return wants_more();
    }
    if (limit_ - next_ > 2 && mapping.end() < end_) [[likely]] {
      // Room for both, and more is wanted after them: no question in between.
      const bool has_gap = mapping.offset > position_;
      Store(Mapping{.offset = position_, .length = mapping.offset - position_});
      next_ += has_gap ? 1 : 0;
      Store(mapping);
      ++next_;
      position_ = mapping.end();
      return true;
    }
    if (mapping.offset > position_ && !AppendHoleUntil(mapping.offset)) {
      return false;
    }
    return Put(mapping);
  }

  // Adds a hole from position() to `end` when there is room for one.
  bool AppendHoleUntil(uint64_t end) {
    if (end <= position_) {
      return wants_more();
    }
    return Put(Mapping{.offset = position_, .length = end - position_});
  }

 private:
  bool Put(const Mapping& mapping) {
    if (!wants_more()) {
      return false;
    }
    Store(mapping);
    ++next_;
    position_ = mapping.end();
    return wants_more();
  }

  // Field by field: the mapping then never exists but in registers. A copy of the whole would be
  // stored in small pieces and loaded in large ones, which costs a stall each.
  void Store(const Mapping& mapping) {
    next_->offset = mapping.offset;
    next_->length = mapping.length;
    next_->address = mapping.address;
    next_->type = mapping.type;
    next_->device = mapping.device;
    next_->flags = mapping.flags;
  }

  Mapping* const begin_;
  Mapping* next_;
  Mapping* const limit_;
  const uint64_t end_;
  uint64_t position_;
};

}  // namespace iomap
