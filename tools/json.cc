#include "tools/json.h"

#include <cstddef>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tools/timestamp_text.h"

namespace iomap::tools {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The bytes of the UTF-8 character that begins `text`, which is not empty; 0 when none does (RFC
// 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t CharacterBytes(absl::string_view text) {
  const auto byte = [&](size_t index) {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0u;
  };
  const auto continues = [&](size_t index) { return (byte(index) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return continues(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool too_large = lead == 0xF4 && byte(1) >= 0x90;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text);
    if (bytes == 0) {
      return false;
    }
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace

void AppendJsonString(absl::string_view text, Output& output) {
  output.Append("\"");
  while (!text.empty()) {
    const unsigned char first = static_cast<unsigned char>(text.front());
    const size_t bytes = CharacterBytes(text);
    if (first == '"' || first == '\\') {
      output.Append("\\");
      output.Append(text.substr(0, 1));
    } else if (first < 0x20) {
      output.Append(absl::StrCat("\\u", absl::Hex(first, absl::kZeroPad4)));
    } else {
      output.Append(bytes == 0 ? kReplacement : text.substr(0, bytes));
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  output.Append("\"");
}

JsonObject& JsonObject::Member(absl::string_view name) {
  output_.Append(has_members_ ? ",\"" : "\"");
  output_.Append(name);
  output_.Append("\":");
  has_members_ = true;
  return *this;
}

JsonObject& JsonObject::String(absl::string_view name, absl::string_view value) {
  Member(name);
  AppendJsonString(value, output_);
  if (!IsUtf8(value)) {
    Member(absl::StrCat(name, "_hex"));
    AppendJsonString(absl::BytesToHexString(value), output_);
  }
  return *this;
}

JsonObject& JsonObject::Strings(absl::string_view name, absl::Span<const std::string> values) {
  Member(name);
  absl::string_view separator = "[";
  for (const std::string& value : values) {
    output_.Append(separator);
    AppendJsonString(value, output_);
    separator = ",";
  }
  output_.Append(values.empty() ? "[]" : "]");
  return *this;
}

JsonObject& JsonObject::Number(absl::string_view name, uint64_t value) {
  Member(name);
  output_.AppendNumber(value);
  return *this;
}

JsonObject& JsonObject::Time(absl::string_view name, const Timestamp& time) {
  Member(name);
  output_.Append(SecondsText(time));
  return *this;
}

}  // namespace iomap::tools
