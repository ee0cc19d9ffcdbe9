#include "tools/json.h"
#include "tools/map_format.h"

namespace iomap::tools {
namespace {

// JSON Lines: the file, then its mappings, all in bytes.
class JsonFormat : public MapFormat {
 public:
  JsonFormat(PastEof past_eof, Output& output) : past_eof_(past_eof), output_(output) {}

  absl::Status Write(const ReportedFile& file) override {
    JsonObject(output_)
        .String("image", file.image)
        .String("path", file.path)
        .Number("inode", file.file.inode())
        .Number("size", file.size)
        .String("backend", file.info.backend)
        .Number("block_size", file.info.block_size)
        .EndLine();
    return ForEachListedMapping(file, past_eof_, [&](const Mapping& mapping) {
      WriteMapping(mapping);
      return output_.ok();
    });
  }

  bool WriteFailure(absl::string_view /*image*/, absl::string_view path,
                    const absl::Status& status) override {
    JsonObject(output_).String("path", path).String("error", status.message()).EndLine();
    return true;
  }

 private:
  // Written piece by piece: a file may have hundreds of thousands of these lines.
  void WriteMapping(const Mapping& mapping) {
    output_.Append("{\"offset\":");
    output_.AppendNumber(mapping.offset);
    output_.Append(",\"length\":");
    output_.AppendNumber(mapping.length);
    output_.Append(",\"type\":\"");
    output_.Append(MappingTypeName(mapping.type));
    if (mapping.type == MappingType::kMapped || mapping.type == MappingType::kUnwritten) {
      output_.Append("\",\"address\":");
      output_.AppendNumber(mapping.address);
      output_.Append(",\"device\":");
      output_.AppendNumber(mapping.device);
      output_.Append(",\"flags\":[");
    } else {
      output_.Append("\",\"flags\":[");
    }
    const bool shared = HasFlag(mapping.flags, MappingFlag::kShared);
    const bool encoded = HasFlag(mapping.flags, MappingFlag::kEncoded);
    if (shared) {
      output_.Append("\"shared\"");
    }
    if (encoded) {
      output_.Append(shared ? ",\"encoded\"" : "\"encoded\"");
    }
    output_.Append("]}\n");
  }

  const PastEof past_eof_;
  Output& output_;
};

}  // namespace

std::unique_ptr<MapFormat> MakeJsonFormat(PastEof past_eof, Output& output) {
  return std::make_unique<JsonFormat>(past_eof, output);
}

}  // namespace iomap::tools
