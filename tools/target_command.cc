#include "tools/target_command.h"

namespace iomap::tools {

void TargetCommand::Declare(Arguments& arguments) {
  arguments.Operand("IMAGE:PATH", &operand_, "The file: IMAGE:/PATH or IMAGE:<INODE>");
}

ExitStatus TargetCommand::Run(const ImageOptions& options, Output& output) {
  if (const absl::Status status = CheckOptions(); !status.ok()) {
    return ReportError("", status);
  }
  const absl::StatusOr<Target> target = ParseTarget(operand_);
  if (!target.ok()) {
    return ReportError("", target.status());
  }
  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
      OpenImage(target->image, options);
  if (!filesystem.ok()) {
    return ReportError(target->image, filesystem.status());
  }
  const absl::Status status = RunOn(**filesystem, *target, output);
  return status.ok() ? ExitStatus::kDone : ReportError(target->image, status);
}

}  // namespace iomap::tools
