#pragma once

#include "absl/strings/string_view.h"
#include "tools/exit_status.h"
#include "tools/image.h"
#include "tools/output.h"

namespace iomap::tools {

class Arguments;

// One sub-command. Its variables are its arguments.
class Command {
 public:
  virtual ~Command() = default;

  virtual absl::string_view name() const = 0;
  // One line for the list of sub-commands, without a full stop.
  virtual absl::string_view summary() const = 0;
  // What --help says below the options: units, exit statuses that are its own, an example.
  virtual absl::string_view details() const = 0;

  virtual void Declare(Arguments& arguments) = 0;

  // Called once, after the variables were filled. Reports its errors itself. What cannot be written
  // to `output` is the caller's to report.
  virtual ExitStatus Run(const ImageOptions& options, Output& output) = 0;
};

}  // namespace iomap::tools
