#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "iomap/attributes.h"
#include "tools/output.h"

namespace iomap::tools {

// One JSON object on one line, written as its members are named. Not thread-safe.
//
//   JsonObject(output).String("name", name).Number("inode", inode).End();
//
// Names in an image are bytes, JSON strings are Unicode. A string that is not UTF-8 has U+FFFD for
// each byte that does not fit, and is followed by a member with "_hex" behind its name that has all
// its bytes in hexadecimal, so that nothing is lost and every parser can read the line.
class JsonObject {
 public:
  explicit JsonObject(Output& output) : output_(output) { output_.Append("{"); }

  JsonObject& String(absl::string_view name, absl::string_view value);
  JsonObject& Strings(absl::string_view name, absl::Span<const std::string> values);
  JsonObject& Number(absl::string_view name, uint64_t value);
  // Seconds with nine decimals: a JSON number.
  JsonObject& Time(absl::string_view name, const Timestamp& time);
  // An object, or an array of objects, inside this one: write it to the output, then go on.
  JsonObject& Member(absl::string_view name);

  // Closes the object, without and with the end of the line.
  void End() { output_.Append("}"); }
  void EndLine() { output_.Append("}\n"); }

 private:
  Output& output_;
  bool has_members_ = false;
};

// `text` in quotation marks, escaped as JsonObject says.
void AppendJsonString(absl::string_view text, Output& output);

}  // namespace iomap::tools
