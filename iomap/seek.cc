#include "iomap/seek.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "iomap/for_each_mapping.h"

namespace iomap {
namespace {

// The first offset in [offset, size) whose mapping reads as zeros, or does not, as `zeros` asks.
absl::StatusOr<std::optional<uint64_t>> FirstOffset(File& file, uint64_t offset, uint64_t size,
                                                    bool zeros) {
  std::optional<uint64_t> found;
  IOMAP_RETURN_IF_ERROR(ForEachMapping(file, &File::MapForRead, ByteRange::Between(offset, size),
                                       [&](const Mapping& mapping, const ByteRange& part) {
                                         if (mapping.reads_as_zeros() != zeros) {
                                           return Walk::kContinue;
                                         }
                                         found = part.offset;
                                         return Walk::kStop;
                                       }));
  return found;
}

absl::StatusOr<uint64_t> SizeBehind(File& file, uint64_t offset) {
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file.attributes());
  if (offset >= attributes.size) {
    return absl::OutOfRangeError(absl::StrCat("inode ", file.inode(), ", offset ", offset,
                                              ": at or past the end of file, ", attributes.size));
  }
  return attributes.size;
}

}  // namespace

absl::StatusOr<uint64_t> SeekData(File& file, uint64_t offset) {
  IOMAP_ASSIGN_OR_RETURN(const uint64_t size, SizeBehind(file, offset));
  IOMAP_ASSIGN_OR_RETURN(const std::optional<uint64_t> found,
                         FirstOffset(file, offset, size, /*zeros=*/false));
  if (!found.has_value()) {
    return absl::OutOfRangeError(absl::StrCat("inode ", file.inode(), ", offset ", offset,
                                              ": no data up to the end of file"));
  }
  return *found;
}

absl::StatusOr<uint64_t> SeekHole(File& file, uint64_t offset) {
  IOMAP_ASSIGN_OR_RETURN(const uint64_t size, SizeBehind(file, offset));
  IOMAP_ASSIGN_OR_RETURN(const std::optional<uint64_t> found,
                         FirstOffset(file, offset, size, /*zeros=*/true));
  return found.value_or(size);
}

}  // namespace iomap
