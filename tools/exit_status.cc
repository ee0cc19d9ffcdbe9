#include "tools/exit_status.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "tools/progress.h"

namespace iomap::tools {
namespace {

// Marks the statuses of UsageError: a backend's InvalidArgument is about a file, not about the
// command line.
constexpr char kUsagePayload[] = "iomap/usage";

// Names from an image may hold anything; an error is one line of text all the same.
void AppendEscaped(absl::string_view text, std::string* line) {
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppend(line, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      line->push_back(c);
    }
  }
}

}  // namespace

ExitStatus ExitStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitStatus::kDone;
    case absl::StatusCode::kInvalidArgument:
      return status.GetPayload(kUsagePayload).has_value() ? ExitStatus::kWrongUsage
                                                          : ExitStatus::kNo;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
      return ExitStatus::kNo;
    case absl::StatusCode::kUnavailable:
      return ExitStatus::kSystemError;
    default:  // DataLoss, Unimplemented, Internal, and whatever nobody should have sent
      return ExitStatus::kDamaged;
  }
}

ExitStatus Graver(ExitStatus a, ExitStatus b) { return std::max(a, b); }

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

ExitStatus ReportError(absl::string_view subject, const absl::Status& status) {
  PrintError(subject, status.message());
  return ExitStatusOf(status);
}

void PrintError(absl::string_view subject, absl::string_view message) {
  std::string line = "iomap: ";
  if (!subject.empty()) {
    AppendEscaped(subject, &line);
    line += ": ";
  }
  AppendEscaped(message, &line);
  line += '\n';
  Progress::Wipe();
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace iomap::tools
