#include <optional>

#include "iomap/seek.h"
#include "iomap/status_macros.h"
#include "tools/commands.h"
#include "tools/target_command.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(Prints the offset, in bytes, that lseek(2) answers for SEEK_DATA or SEEK_HOLE. Exit status 1
where lseek says ENXIO: OFFSET is at or past the end of file, or no data follow. A symbolic
link is followed.

  iomap seek disk.img:/sparse --data 1M)";

class SeekCommand : public TargetCommand {
 public:
  absl::string_view name() const override { return "seek"; }
  absl::string_view summary() const override { return "The next data or hole of a file"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    TargetCommand::Declare(arguments);
    arguments.Bytes("--data", "OFFSET", &data_, "Find data at or after this offset");
    arguments.Bytes("--hole", "OFFSET", &hole_,
                    "Find a hole, or the end of file, at or after this offset");
  }

 private:
  absl::Status CheckOptions() const override {
    return data_.has_value() != hole_.has_value() ? absl::OkStatus()
                                                  : UsageError("write either --data or --hole");
  }

  absl::Status RunOn(dax::Filesystem& filesystem, const Target& target, Output& output) override {
    IOMAP_ASSIGN_OR_RETURN(const OpenedTarget opened,
                           OpenTarget(filesystem, target, LastLink::kFollow));
    IOMAP_RETURN_IF_ERROR(RequireRegularFile(target, opened.attributes));
    const absl::StatusOr<uint64_t> offset =
        data_.has_value() ? SeekData(*opened.file, *data_) : SeekHole(*opened.file, *hole_);
    if (!offset.ok()) {
      return AtPath(target.path, offset.status());
    }
    output.AppendNumber(*offset);
    output.Append("\n");
    return absl::OkStatus();
  }

  std::optional<uint64_t> data_;
  std::optional<uint64_t> hole_;
};

}  // namespace

std::unique_ptr<Command> MakeSeekCommand() { return std::make_unique<SeekCommand>(); }

}  // namespace iomap::tools
