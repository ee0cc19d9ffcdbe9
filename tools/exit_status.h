#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace iomap::tools {

// What the command tells the shell.
enum class ExitStatus {
  kDone = 0,
  kNo = 1,           // the answer is no: no such path, not supported for this file, ENXIO
  kWrongUsage = 2,   // the command line
  kDamaged = 3,      // the image: damaged, dirty, or with a feature that is not known
  kSystemError = 4,  // the operating system: cannot open, cannot write
};

// The one table from errors to exit statuses. OK is kDone.
ExitStatus ExitStatusOf(const absl::Status& status);

// The graver of two: what a run over several files ends with.
ExitStatus Graver(ExitStatus a, ExitStatus b);

// An error of the command line that shows only when the arguments are used: kWrongUsage.
absl::Status UsageError(absl::string_view message);

// Writes the one line "iomap: SUBJECT: message" to standard error, control characters escaped, and
// returns the exit status of `status`, which is not OK. An empty subject is left out.
ExitStatus ReportError(absl::string_view subject, const absl::Status& status);

// The same line for any message.
void PrintError(absl::string_view subject, absl::string_view message);

}  // namespace iomap::tools
