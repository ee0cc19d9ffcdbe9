#include "dax/io.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "iomap/for_each_mapping.h"

namespace iomap::dax {
namespace {

absl::Status ReadPart(File& file, const Mapping& mapping, const ByteRange& part,
                      absl::Span<std::byte> out) {
  if (HasFlag(mapping.flags, MappingFlag::kEncoded)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "inode ", file.inode(), ", offset ", part.offset, ": encoded bytes cannot be read"));
  }
  switch (mapping.type) {
    case MappingType::kHole:
    case MappingType::kUnwritten:
      std::memset(out.data(), 0, out.size());
      return absl::OkStatus();
    case MappingType::kInline:
      return file.ReadInline(part.offset, out);
    case MappingType::kDelalloc:
      return absl::InternalError(absl::StrCat("inode ", file.inode(), ", offset ", part.offset,
                                              ": reserved space has no bytes on a device"));
    case MappingType::kMapped:
      break;
  }
  const ByteRange place{mapping.AddressOf(part.offset), part.length};
  const bool on_device = mapping.device < file.devices().size() &&
                         place.offset <= file.devices()[mapping.device]->size() &&
                         place.length <= file.devices()[mapping.device]->size() - place.offset;
  if (!on_device) {
    return absl::DataLossError(absl::StrCat("inode ", file.inode(), ", offset ", part.offset,
                                            ": address ", place.offset, " of device ",
                                            mapping.device, " is past its end"));
  }
  std::memcpy(out.data(), file.devices()[mapping.device]->bytes().data() + place.offset,
              place.length);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<size_t> Read(File& file, uint64_t offset, absl::Span<std::byte> out) {
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file.attributes());
  if (offset >= attributes.size) {
    return 0;
  }
  const ByteRange range{offset, std::min<uint64_t>(out.size(), attributes.size - offset)};
  IOMAP_RETURN_IF_ERROR(
      ForEachMapping(file, &File::MapForRead, range,
                     [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
                       IOMAP_RETURN_IF_ERROR(ReadPart(
                           file, mapping, part, out.subspan(part.offset - offset, part.length)));
                       return Walk::kContinue;
                     }));
  return range.length;
}

}  // namespace iomap::dax
