#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "iomap/file.h"
#include "iomap/filesystem.h"
#include "tools/output.h"

namespace iomap::tools {

// One file of a report.
struct ReportedFile {
  absl::string_view image;
  absl::string_view path;  // "/a", or "<131>"
  uint64_t size;           // bytes
  const FilesystemInfo& info;
  File& file;
};

// Whether whole blocks past the end of file are listed, where a format leaves it open.
enum class PastEof { kLeaveOut, kList };

// How `iomap map` writes mappings. One object writes all files of a run, one after the other.
class MapFormat {
 public:
  virtual ~MapFormat() = default;

  // Writes the mappings of `file`. Errors are the file's, with part of it perhaps written already;
  // those of the output stay there.
  virtual absl::Status Write(const ReportedFile& file) = 0;

  // Writes that a file of a whole image cannot be mapped. False when the format has no form for it.
  virtual bool WriteFailure(absl::string_view /*image*/, absl::string_view /*path*/,
                            const absl::Status& /*status*/) {
    return false;
  }
};

// The formats, each in the file of its name.
std::unique_ptr<MapFormat> MakeFilefragFormat(Output& output);
std::unique_ptr<MapFormat> MakeXfsIoFormat(Output& output);
std::unique_ptr<MapFormat> MakeJsonFormat(PastEof past_eof, Output& output);
std::unique_ptr<MapFormat> MakePbtxtFormat(PastEof past_eof, Output& output);

// The words of --format, the default first.
std::vector<std::string> MapFormatNames();

// The format of that name, which is one of MapFormatNames().
std::unique_ptr<MapFormat> MakeMapFormat(absl::string_view name, PastEof past_eof, Output& output);

// Calls `mapping` for the mappings of a file that json and pbtxt list: in order, without gaps,
// merged, holes included up to the end of file, cut at the block boundary behind it unless
// `past_eof` says otherwise. Stops when it returns false. Errors: Fiemap.
absl::Status ForEachListedMapping(const ReportedFile& file, PastEof past_eof,
                                  absl::FunctionRef<bool(const Mapping&)> mapping);

}  // namespace iomap::tools
