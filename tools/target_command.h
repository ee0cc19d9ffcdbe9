#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/arguments.h"
#include "tools/command.h"
#include "tools/target.h"

namespace iomap::tools {

// A sub-command about one file of an image.
class TargetCommand : public Command {
 public:
  // Declares the operand; overrides call it in front of their own.
  void Declare(Arguments& arguments) override;

  // Checks the arguments, opens the image, calls RunOn, and reports the error of any of these.
  ExitStatus Run(const ImageOptions& options, Output& output) final;

 private:
  // A UsageError when the options do not go together.
  virtual absl::Status CheckOptions() const { return absl::OkStatus(); }
  virtual absl::Status RunOn(dax::Filesystem& filesystem, const Target& target, Output& output) = 0;

  std::string operand_;
};

}  // namespace iomap::tools
