#include <vector>

#include "dax/io.h"
#include "iomap/status_macros.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/target_command.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] = R"(Holes and unwritten space are zeros. A symbolic link is followed.

  iomap cat disk.img:/etc/hostname)";

constexpr size_t kPieceBytes = 1024 * 1024;

class CatCommand : public TargetCommand {
 public:
  absl::string_view name() const override { return "cat"; }
  absl::string_view summary() const override { return "The contents of a file"; }
  absl::string_view details() const override { return kDetails; }

 private:
  absl::Status RunOn(dax::Filesystem& filesystem, const Target& target, Output& output) override {
    IOMAP_ASSIGN_OR_RETURN(const OpenedTarget opened,
                           OpenTarget(filesystem, target, LastLink::kFollow));
    IOMAP_RETURN_IF_ERROR(RequireRegularFile(target, opened.attributes));
    std::vector<std::byte> piece(kPieceBytes);
    Progress progress("bytes", opened.attributes.size);
    uint64_t offset = 0;
    while (output.ok()) {
      const absl::StatusOr<size_t> count = dax::Read(*opened.file, offset, absl::MakeSpan(piece));
      if (!count.ok()) {
        return AtPath(target.path, count.status());
      }
      if (*count == 0) {
        break;
      }
      output.Append(absl::string_view(reinterpret_cast<const char*>(piece.data()), *count));
      offset += *count;
      progress.Show(offset);
    }
    return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<Command> MakeCatCommand() { return std::make_unique<CatCommand>(); }

}  // namespace iomap::tools
