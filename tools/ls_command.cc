#include <algorithm>
#include <string>
#include <vector>

#include "iomap/status_macros.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/target_command.h"
#include "tools/text_or_json.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(Names are printed one a line, in the order of their bytes, without . and .. ; json prints an
object an entry: name, inode, type. Anything but a directory is listed as itself.

  iomap ls disk.img:/var/log)";

struct ListedEntry {
  std::string name;
  InodeNumber inode = 0;
  FileType type = FileType::kUnknown;
};

// The last name of `path`, or what stands there when it has none.
std::string LastName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

class LsCommand : public TargetCommand {
 public:
  absl::string_view name() const override { return "ls"; }
  absl::string_view summary() const override { return "The names in a directory"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    TargetCommand::Declare(arguments);
    format_.Declare(arguments);
  }

 private:
  absl::Status RunOn(dax::Filesystem& filesystem, const Target& target, Output& output) override {
    IOMAP_ASSIGN_OR_RETURN(std::vector<ListedEntry> entries, Entries(filesystem, target));
    for (ListedEntry& entry : entries) {
      if (!format_.is_json()) {
        output.Append(entry.name);
        output.Append("\n");
        continue;
      }
      if (entry.type == FileType::kUnknown) {
        entry.type = TypeOfInode(filesystem, entry.inode);
      }
      JsonObject(output)
          .String("name", entry.name)
          .Number("inode", entry.inode)
          .String("type", FileTypeName(entry.type))
          .EndLine();
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<std::vector<ListedEntry>> Entries(dax::Filesystem& filesystem,
                                                          const Target& target) {
    absl::StatusOr<OpenedTarget> opened = OpenTarget(filesystem, target, LastLink::kFollow);
    if (!opened.ok() || opened->attributes.type != FileType::kDirectory) {
      // A link that leads to no directory is listed itself, as ls(1) does.
      IOMAP_ASSIGN_OR_RETURN(opened, OpenTarget(filesystem, target, LastLink::kKeep));
    }
    const InodeNumber inode = opened->file->inode();
    std::vector<ListedEntry> entries;
    if (opened->attributes.type != FileType::kDirectory) {
      entries.push_back({LastName(target.path), inode, opened->attributes.type});
      return entries;
    }
    const absl::Status status =
        filesystem.ReadDirectory(inode, /*cookie=*/0, [&](const DirectoryEntry& entry) {
          entries.push_back({std::string(entry.name), entry.inode, entry.type});
          return true;
        });
    IOMAP_RETURN_IF_ERROR(AtPath(target.path, status));
    std::sort(entries.begin(), entries.end(),
              [](const ListedEntry& a, const ListedEntry& b) { return a.name < b.name; });
    return entries;
  }

  // For directories that do not tell; unknown when the inode does not either.
  static FileType TypeOfInode(dax::Filesystem& filesystem, InodeNumber inode) {
    const absl::StatusOr<std::shared_ptr<dax::File>> file = filesystem.OpenFile(inode);
    if (!file.ok()) {
      return FileType::kUnknown;
    }
    const absl::StatusOr<Attributes> attributes = (*file)->attributes();
    return attributes.ok() ? attributes->type : FileType::kUnknown;
  }

  TextOrJson format_;
};

}  // namespace

std::unique_ptr<Command> MakeLsCommand() { return std::make_unique<LsCommand>(); }

}  // namespace iomap::tools
