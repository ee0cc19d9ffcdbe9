#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "tools/map_format.h"
#include "tools/wire.h"

namespace iomap::tools {
namespace {

// What protobuf prints goes straight to the output: a text of many megabytes is never held whole.
class OutputStream : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit OutputStream(Output& output) : output_(output) {}

  bool Write(const void* buffer, int size) override {
    output_.Append(absl::string_view(static_cast<const char*>(buffer), static_cast<size_t>(size)));
    return output_.ok();
  }

 private:
  Output& output_;
};

// The text form of proto::MapReport.
class PbtxtFormat : public MapFormat {
 public:
  PbtxtFormat(PastEof past_eof, Output& output) : past_eof_(past_eof), output_(output) {}

  absl::Status Write(const ReportedFile& file) override {
    proto::MapReport report;
    proto::FileMappings& mappings = *report.add_files();
    mappings.set_image(std::string(file.image));
    mappings.set_path(std::string(file.path));
    mappings.set_inode(file.file.inode());
    mappings.set_size(file.size);
    mappings.set_backend(file.info.backend);
    mappings.set_block_size(file.info.block_size);
    absl::Status status = ForEachListedMapping(file, past_eof_, [&](const Mapping& mapping) {
      ToMessage(mapping, mappings.add_mappings());
      return true;
    });
    if (status.ok()) {
      Print(report);
    }
    return status;
  }

  bool WriteFailure(absl::string_view image, absl::string_view path,
                    const absl::Status& status) override {
    proto::MapReport report;
    proto::FileMappings& mappings = *report.add_files();
    mappings.set_image(std::string(image));
    mappings.set_path(std::string(path));
    mappings.set_error(std::string(status.message()));
    Print(report);
    return true;
  }

 private:
  void Print(const proto::MapReport& report) {
    OutputStream stream(output_);
    google::protobuf::io::CopyingOutputStreamAdaptor adaptor(&stream);
    // False only when the output has failed, which it keeps.
    google::protobuf::TextFormat::Print(report, &adaptor);
  }

  const PastEof past_eof_;
  Output& output_;
};

}  // namespace

std::unique_ptr<MapFormat> MakePbtxtFormat(PastEof past_eof, Output& output) {
  return std::make_unique<PbtxtFormat>(past_eof, output);
}

}  // namespace iomap::tools
