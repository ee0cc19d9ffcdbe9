#include "backends/ram/extents.h"

#include <iterator>

#include "iomap/check.h"

namespace iomap::ram {

Extent Extent::Slice(const ByteRange& range) const {
  const ByteRange part = this->range().Intersect(range);
  return Extent{part.offset, part.length, address + (part.offset - offset), unwritten};
}

std::optional<Extent> Extents::AtOrAfter(uint64_t offset) const {
  auto found = extents_.upper_bound(offset);
  if (found != extents_.begin() && std::prev(found)->second.end() > offset) {
    --found;
  }
  return found == extents_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Extent> Extents::In(const ByteRange& range) const {
  std::vector<Extent> extents;
  for (std::optional<Extent> extent = AtOrAfter(range.offset);
       extent.has_value() && extent->offset < range.end(); extent = AtOrAfter(extent->end())) {
    extents.push_back(extent->Slice(range));
  }
  return extents;
}

void Extents::Insert(const Extent& extent) {
  IOMAP_CHECK(In(extent.range()).empty());
  allocated_bytes_ += extent.length;
  Extent whole = extent;
  const auto joins = [](const Extent& left, const Extent& right) {
    return left.end() == right.offset && left.address + left.length == right.address &&
           left.unwritten == right.unwritten;
  };
  auto next = extents_.lower_bound(extent.offset);
  if (next != extents_.end() && joins(whole, next->second)) {
    whole.length += next->second.length;
    next = extents_.erase(next);
  }
  if (next != extents_.begin() && joins(std::prev(next)->second, whole)) {
    std::prev(next)->second.length += whole.length;
  } else {
    extents_.emplace(whole.offset, whole);
  }
}

std::vector<Extent> Extents::Remove(const ByteRange& range) {
  std::vector<Extent> removed;
  for (std::optional<Extent> extent = AtOrAfter(range.offset);
       extent.has_value() && extent->offset < range.end(); extent = AtOrAfter(range.offset)) {
    extents_.erase(extent->offset);
    if (extent->offset < range.offset) {
      extents_.emplace(extent->offset,
                       extent->Slice(ByteRange::Between(extent->offset, range.offset)));
    }
    if (extent->end() > range.end()) {
      extents_.emplace(range.end(), extent->Slice(ByteRange::Between(range.end(), extent->end())));
    }
    removed.push_back(extent->Slice(range));
    allocated_bytes_ -= removed.back().length;
  }
  return removed;
}

void Extents::Shift(uint64_t offset, int64_t bytes) {
  std::vector<Extent> moved = Remove(ByteRange::All().From(offset));
  for (Extent& extent : moved) {
    extent.offset += static_cast<uint64_t>(bytes);
    Insert(extent);
  }
}

}  // namespace iomap::ram
