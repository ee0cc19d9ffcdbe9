#include "iomap/for_each_mapping.h"

#include "absl/strings/str_cat.h"

namespace iomap {
namespace {

absl::Status BrokenAnswer(const File& file, const char* what, uint64_t position,
                          const Mapping* mapping) {
  return absl::InternalError(absl::StrCat(
      "inode ", file.inode(), ", offset ", position, ": the backend's answer ", what,
      mapping == nullptr ? "" : ": ", mapping == nullptr ? "" : DebugString(*mapping)));
}

}  // namespace

absl::Status CheckAnswer(const File& file, absl::Span<const Mapping> answer, uint64_t position) {
  if (answer.empty()) [[unlikely]] {
    return BrokenAnswer(file, "has no mapping, or more than were asked for", position, nullptr);
  }
  if (!answer.front().range().Contains(position)) [[unlikely]] {
    return BrokenAnswer(file, "does not hold the position", position, &answer.front());
  }
  uint64_t next = answer.front().offset;
  for (const Mapping& mapping : answer) {
    const bool whole = mapping.length > 0 && mapping.offset <= ByteRange::kMaxOffset &&
                       mapping.length <= ByteRange::kMaxOffset - mapping.offset;
    if (!whole) [[unlikely]] {
      return BrokenAnswer(file, "has an empty or overflowing mapping", next, &mapping);
    }
    if (mapping.offset != next) [[unlikely]] {
      return BrokenAnswer(file, "has a gap or an overlap", next, &mapping);
    }
    next = mapping.end();
  }
  return absl::OkStatus();
}

absl::StatusOr<Mapping> MappingAt(File& file, MapMethod method, uint64_t position) {
  return FirstMapping(file, method, ByteRange{position, 1});
}

absl::StatusOr<Mapping> FirstMapping(File& file, MapMethod method, const ByteRange& range) {
  Mapping mapping;
  IOMAP_ASSIGN_OR_RETURN(const size_t count, (file.*method)(range, absl::MakeSpan(&mapping, 1)));
  if (count > 1) [[unlikely]] {
    return CheckAnswer(file, {}, range.offset);
  }
  IOMAP_RETURN_IF_ERROR(CheckAnswer(file, absl::MakeConstSpan(&mapping, count), range.offset));
  return mapping;
}

}  // namespace iomap
