#include "iomap/mapping.h"

#include "absl/strings/str_cat.h"
#include "iomap/check.h"

namespace iomap {

absl::string_view MappingTypeName(MappingType type) {
  switch (type) {
    case MappingType::kHole:
      return "hole";
    case MappingType::kDelalloc:
      return "delalloc";
    case MappingType::kMapped:
      return "mapped";
    case MappingType::kUnwritten:
      return "unwritten";
    case MappingType::kInline:
      return "inline";
  }
  return "invalid";
}

Mapping Mapping::Slice(const ByteRange& part) const {
  const ByteRange cut = range().Intersect(part);
  IOMAP_CHECK(!cut.empty());
  Mapping slice = *this;
  slice.offset = cut.offset;
  slice.length = cut.length;
  if (has_address()) {
    slice.address = AddressOf(cut.offset);
  }
  return slice;
}

bool Mapping::ContinuesIn(const Mapping& next) const {
  return end() == next.offset && type == next.type && device == next.device &&
         flags == next.flags && type != MappingType::kInline &&
         (has_address() ? next.address == address + length : !next.has_address());
}

std::string DebugString(const Mapping& mapping) {
  std::string line =
      absl::StrCat("[", mapping.offset, ", ", mapping.end(), ") ", MappingTypeName(mapping.type));
  if (mapping.has_address()) {
    absl::StrAppend(&line, " at ", mapping.address, " of device ", mapping.device);
  }
  if (HasFlag(mapping.flags, MappingFlag::kShared)) {
    line += " shared";
  }
  if (HasFlag(mapping.flags, MappingFlag::kNew)) {
    line += " new";
  }
  if (HasFlag(mapping.flags, MappingFlag::kEncoded)) {
    line += " encoded";
  }
  if (HasFlag(mapping.flags, MappingFlag::kMerged)) {
    line += " merged";
  }
  return line;
}

}  // namespace iomap
