#include "iomap/bmap.h"
#include "iomap/status_macros.h"
#include "tools/commands.h"
#include "tools/target_command.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(Prints what the FIBMAP request answers: the number of the file-system block that holds block
BLOCK of the file, 0 for a hole, for unwritten space and past the end. Exit status 1 where there
is no such number: inline data, or a file on a realtime device. A symbolic link is followed.

  iomap bmap disk.img:/boot/vmlinuz 0)";

class BmapCommand : public TargetCommand {
 public:
  absl::string_view name() const override { return "bmap"; }
  absl::string_view summary() const override { return "The block number of a file's block"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    TargetCommand::Declare(arguments);
    arguments.Operand("BLOCK", &block_, "A block of the file, from 0");
  }

 private:
  absl::Status RunOn(dax::Filesystem& filesystem, const Target& target, Output& output) override {
    IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem.info());
    IOMAP_ASSIGN_OR_RETURN(const OpenedTarget opened,
                           OpenTarget(filesystem, target, LastLink::kFollow));
    const absl::StatusOr<uint64_t> block = Bmap(*opened.file, block_, info.block_size);
    if (!block.ok()) {
      return AtPath(target.path, block.status());
    }
    output.AppendNumber(*block);
    output.Append("\n");
    return absl::OkStatus();
  }

  uint64_t block_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeBmapCommand() { return std::make_unique<BmapCommand>(); }

}  // namespace iomap::tools
