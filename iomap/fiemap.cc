#include "iomap/fiemap.h"

#include <optional>

#include "iomap/for_each_mapping.h"

namespace iomap {
namespace {

// True when nothing but holes follows `end`.
absl::StatusOr<bool> OnlyHolesFrom(File& file, uint64_t end) {
  bool only_holes = true;
  IOMAP_RETURN_IF_ERROR(ForEachMapping(file, &File::MapForRead, ByteRange::All().From(end),
                                       [&](const Mapping& mapping, ByteRange) {
                                         only_holes = mapping.type == MappingType::kHole;
                                         return only_holes ? Walk::kContinue : Walk::kStop;
                                       }));
  return only_holes;
}

}  // namespace

absl::Status Fiemap(File& file, const ByteRange& range, Holes holes,
                    absl::FunctionRef<bool(const FiemapExtent&)> extent) {
  // The extent that the next mapping may still continue; with holes kept back behind it until it is
  // known whether the extent is the last.
  std::optional<Mapping> pending;
  std::optional<Mapping> hole_behind;
  bool stopped = false;
  const auto emit = [&](const Mapping& mapping, bool last) {
    stopped = stopped || !extent(FiemapExtent{mapping, last});
  };
  const auto emit_pending = [&](bool last) {
    if (pending.has_value()) {
      emit(*pending, last);
      pending.reset();
    }
    if (hole_behind.has_value()) {
      if (!stopped) {
        emit(*hole_behind, false);
      }
      hole_behind.reset();
    }
  };
  IOMAP_RETURN_IF_ERROR(ForEachMapping(
      file, &File::MapForReport, range, [&](const Mapping& mapping, const ByteRange& part) {
        if (mapping.type == MappingType::kHole) {
          if (holes == Holes::kReport) {
            if (hole_behind.has_value()) {
              hole_behind->length = part.end() - hole_behind->offset;
            } else {
              hole_behind = mapping.Slice(part);
            }
          }
          return Walk::kContinue;
        }
        if (pending.has_value() && !hole_behind.has_value() && pending->ContinuesIn(mapping)) {
          pending->length += mapping.length;
          return Walk::kContinue;
        }
        emit_pending(/*last=*/false);
        pending = mapping;
        return stopped ? Walk::kStop : Walk::kContinue;
      }));
  if (stopped) {
    return absl::OkStatus();
  }
  bool last = false;
  if (pending.has_value()) {
    IOMAP_ASSIGN_OR_RETURN(last, OnlyHolesFrom(file, std::max(pending->end(), range.end())));
  }
  emit_pending(last);
  return absl::OkStatus();
}

}  // namespace iomap
