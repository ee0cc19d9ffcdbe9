#include "iomap/write_mapping.h"

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap {
namespace {

bool IsWhole(const Mapping& mapping) {
  return mapping.length > 0 && mapping.offset <= ByteRange::kMaxOffset &&
         mapping.length <= ByteRange::kMaxOffset - mapping.offset;
}

absl::Status CheckWriteMapping(const WriteMapping& mapping, uint64_t position) {
  const Mapping& target = mapping.target;
  const bool writable = target.has_address() && (target.type == MappingType::kMapped ||
                                                 target.type == MappingType::kUnwritten);
  if (!IsWhole(target) || !target.range().Contains(position) || !writable) {
    return absl::InternalError(absl::StrCat(
        "offset ", position, ": the backend's answer cannot be written: ", DebugString(target)));
  }
  if (target.type == MappingType::kUnwritten && mapping.reservation == nullptr) {
    return absl::InternalError(absl::StrCat(
        "offset ", position,
        ": an unwritten mapping without a reservation stays unwritten: ", DebugString(target)));
  }
  if (mapping.source.has_value() &&
      (!IsWhole(*mapping.source) || !mapping.source->range().Contains(target.range()))) {
    return absl::InternalError(absl::StrCat("offset ", position, ": the source ",
                                            DebugString(*mapping.source), " does not cover ",
                                            DebugString(target)));
  }
  return absl::OkStatus();
}

}  // namespace

Reservation::~Reservation() = default;

absl::Status ForEachWriteMapping(
    const ByteRange& range, absl::FunctionRef<absl::StatusOr<WriteMapping>(const ByteRange&)> ask,
    absl::FunctionRef<absl::Status(const WriteMapping& mapping, const ByteRange& part)> body) {
  uint64_t position = range.offset;
  while (position < range.end()) {
    const ByteRange rest = range.From(position);
    absl::StatusOr<WriteMapping> asked = ask(rest);
    IOMAP_RETURN_IF_ERROR(asked.status());
    WriteMapping& mapping = *asked;
    IOMAP_RETURN_IF_ERROR(CheckWriteMapping(mapping, position));
    const ByteRange part = rest.Intersect(mapping.target.range());
    IOMAP_RETURN_IF_ERROR(body(mapping, part));
    const absl::Status committed = mapping.Commit(part);
    if (absl::IsAborted(committed)) {
      continue;  // somebody else mapped these bytes meanwhile
    }
    IOMAP_RETURN_IF_ERROR(committed);
    position = part.end();
  }
  return absl::OkStatus();
}

}  // namespace iomap
