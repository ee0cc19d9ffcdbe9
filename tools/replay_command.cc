#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/text_or_json.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(With --dry-run: what the recovery of a dirty journal would do, in its order. Each line has
the transaction's number (of XFS: the log sequence number, CYCLE,BLOCK), what is put in place,
and the bytes of the file system that it covers. The recovery runs in memory, and nothing is
written to the image. The last line has the sums.

  iomap replay --dry-run disk.img)";

// In front of an action: "17: ", of an XFS log "1,208: " as xfs_logprint has it; nothing for what
// belongs to no transaction.
std::string SequenceText(uint64_t sequence) {
  const uint64_t cycle = sequence >> 32;
  return sequence == 0 ? ""
         : cycle == 0  ? absl::StrCat(sequence, ": ")
                       : absl::StrCat(cycle, ",", sequence & 0xFFFFFFFF, ": ");
}

class ReplayCommand : public Command {
 public:
  absl::string_view name() const override { return "replay"; }
  absl::string_view summary() const override { return "What the journal's recovery would do"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    arguments.Operand("IMAGE", &image_, "The image");
    arguments.Flag("--dry-run", &dry_run_, "Say it, and leave the image as it is");
    format_.Declare(arguments);
  }

  ExitStatus Run(const ImageOptions& options, Output& output) override {
    const absl::Status status = Replay(options, output);
    return status.ok() ? ExitStatus::kDone : ReportError(image_, status);
  }

 private:
  absl::Status Replay(const ImageOptions& options, Output& output) {
    if (options.no_replay) {
      return UsageError("--no-replay leaves nothing to replay");
    }
    if (!dry_run_) {
      return UsageError("images are read, not written: only --dry-run can be asked for");
    }
    IOMAP_ASSIGN_OR_RETURN(dax::DeviceSet devices, OpenDevices(image_, options));
    Sums sums;
    const auto on_replay = [&](const backends::ReplayAction& action) {
      ++sums.actions;
      sums.bytes += action.place.length;
      WriteAction(action, output);
    };
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem,
                           OpenOnDevices(std::move(devices), options, {.on_replay = on_replay}));
    IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem->info());
    WriteSums(info, sums, output);
    return absl::OkStatus();
  }

  struct Sums {
    uint64_t actions = 0;
    uint64_t bytes = 0;
  };

  void WriteAction(const backends::ReplayAction& action, Output& output) const {
    if (format_.is_json()) {
      JsonObject object(output);
      object.Number("sequence", action.sequence).String("what", action.what);
      if (!action.place.empty()) {
        object.Number("address", action.place.offset).Number("length", action.place.length);
      }
      object.EndLine();
      return;
    }
    output.Append(absl::StrCat(SequenceText(action.sequence), action.what));
    if (!action.place.empty()) {
      output.Append(absl::StrCat(", ", action.place.length, " bytes at ", action.place.offset));
    }
    output.Append("\n");
  }

  void WriteSums(const FilesystemInfo& info, const Sums& sums, Output& output) const {
    const absl::string_view journal = JournalStateName(info.journal);
    if (format_.is_json()) {
      JsonObject(output)
          .String("image", image_)
          .String("backend", info.backend)
          .String("journal", journal)
          .Number("actions", sums.actions)
          .Number("bytes", sums.bytes)
          .EndLine();
      return;
    }
    output.Append(absl::StrCat("journal: ", journal, "; ", sums.actions, " actions, ", sums.bytes,
                               " bytes, none of them written to the image\n"));
  }

  std::string image_;
  bool dry_run_ = false;
  TextOrJson format_;
};

}  // namespace

std::unique_ptr<Command> MakeReplayCommand() { return std::make_unique<ReplayCommand>(); }

}  // namespace iomap::tools
