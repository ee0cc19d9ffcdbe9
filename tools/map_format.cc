#include "tools/map_format.h"

#include <algorithm>

#include "iomap/check.h"
#include "iomap/fiemap.h"

namespace iomap::tools {
namespace {

struct NamedFormat {
  absl::string_view name;
  std::unique_ptr<MapFormat> (*make)(PastEof, Output&);
};

// filefrag and fiemap list blocks past the end of file whatever they are asked.
constexpr NamedFormat kFormats[] = {
    {"filefrag", [](PastEof, Output& output) { return MakeFilefragFormat(output); }},
    {"xfs_io", [](PastEof, Output& output) { return MakeXfsIoFormat(output); }},
    {"json", &MakeJsonFormat},
    {"pbtxt", &MakePbtxtFormat},
};

}  // namespace

std::vector<std::string> MapFormatNames() {
  std::vector<std::string> names;
  for (const NamedFormat& format : kFormats) {
    names.emplace_back(format.name);
  }
  return names;
}

std::unique_ptr<MapFormat> MakeMapFormat(absl::string_view name, PastEof past_eof, Output& output) {
  for (const NamedFormat& format : kFormats) {
    if (format.name == name) {
      return format.make(past_eof, output);
    }
  }
  IOMAP_CHECK(!"a name from MapFormatNames()");
}

absl::Status ForEachListedMapping(const ReportedFile& file, PastEof past_eof,
                                  absl::FunctionRef<bool(const Mapping&)> mapping) {
  const ByteRange contents{0, file.size};
  const ByteRange range = past_eof == PastEof::kList ? ByteRange::All() : contents;
  const uint64_t last_end = past_eof == PastEof::kList
                                ? ByteRange::kMaxOffset
                                : contents.AlignOutward(file.info.block_size).end();
  return Fiemap(file.file, range, Holes::kReport, [&](const FiemapExtent& extent) {
    Mapping listed = extent.mapping;
    // A hole that nothing follows ends with the file.
    const bool endless = listed.type == MappingType::kHole && listed.end() == ByteRange::kMaxOffset;
    const uint64_t end = std::min(listed.end(), endless ? file.size : last_end);
    if (end <= listed.offset) {
      return true;
    }
    listed.length = end - listed.offset;
    return mapping(listed);
  });
}

}  // namespace iomap::tools
