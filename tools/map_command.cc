#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/map_format.h"
#include "tools/progress.h"
#include "tools/target.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(Formats: filefrag prints what `filefrag -v` does, in file-system blocks, without holes;
xfs_io what `fiemap -v` of xfs_io does, in 512-byte units; json one object a line, in bytes: the
file, then its mappings; pbtxt the text form of the protobuf message MapReport. Neighbours that
touch in the file and on the device are one mapping. Symbolic links are not followed at the end of a
path: their own blocks are listed, as a directory's are.

With --all, a file or directory that cannot be read does not end the run, but makes the exit
status 3: json and pbtxt list it with its error, the others name it on standard error.

  iomap map --format=json disk.img:/var/log/a 'disk.img:<131>'
  iomap map --all --image-offset=1M disk.img)";

class MapCommand : public Command {
 public:
  absl::string_view name() const override { return "map"; }
  absl::string_view summary() const override { return "The mappings of files, holes included"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    const std::vector<std::string> formats = MapFormatNames();
    format_ = formats.front();
    arguments.Choice("--format", "FORMAT", formats, &format_, "How to write them");
    arguments.Flag("--all", &all_,
                   "Map every regular file of IMAGE once, in order of path; the operand is the "
                   "image alone");
    arguments.Flag("--past-eof", &past_eof_,
                   "List blocks past the end of file in json and pbtxt; the others always do");
    arguments.Operands("IMAGE:PATH", &operands_, "The files; with --all, one IMAGE");
  }

  ExitStatus Run(const ImageOptions& options, Output& output) override {
    const std::unique_ptr<MapFormat> format =
        MakeMapFormat(format_, past_eof_ ? PastEof::kList : PastEof::kLeaveOut, output);
    if (all_) {
      if (operands_.size() != 1) {
        return ReportError("", UsageError("--all takes one IMAGE and no path"));
      }
      return MapAll(options, operands_.front(), *format, output);
    }
    std::vector<Target> targets;
    for (const std::string& operand : operands_) {
      const absl::StatusOr<Target> target = ParseTarget(operand);
      if (!target.ok()) {
        return ReportError("", target.status());
      }
      targets.push_back(*target);
    }
    return MapTargets(options, targets, *format, output);
  }

 private:
  ExitStatus MapTargets(const ImageOptions& options, const std::vector<Target>& targets,
                        MapFormat& format, const Output& output) {
    OpenedImage image(options);
    ExitStatus exit_status = ExitStatus::kDone;
    for (const Target& target : targets) {
      const absl::Status status = MapTarget(image, target, format);
      if (!status.ok()) {
        exit_status = Graver(exit_status, ReportError(target.image, status));
      }
      if (!output.ok()) {
        break;
      }
    }
    return exit_status;
  }

  static absl::Status MapTarget(OpenedImage& image, const Target& target, MapFormat& format) {
    IOMAP_ASSIGN_OR_RETURN(dax::Filesystem* const filesystem, image.Open(target.image));
    IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem->info());
    IOMAP_ASSIGN_OR_RETURN(const OpenedTarget opened,
                           OpenTarget(*filesystem, target, LastLink::kKeep));
    return AtPath(target.path, format.Write({target.image, target.path, opened.attributes.size,
                                             info, *opened.file}));
  }

  ExitStatus MapAll(const ImageOptions& options, const std::string& image, MapFormat& format,
                    const Output& output) {
    const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = OpenImage(image, options);
    if (!filesystem.ok()) {
      return ReportError(image, filesystem.status());
    }
    const absl::StatusOr<FilesystemInfo> info = (*filesystem)->info();
    if (!info.ok()) {
      return ReportError(image, info.status());
    }
    ExitStatus exit_status = ExitStatus::kDone;
    const auto failed = [&](absl::string_view path, const absl::Status& status) {
      if (!format.WriteFailure(image, path, status)) {
        ReportError(image, AtPath(path, status));
      }
      exit_status = ExitStatus::kDamaged;
      return output.ok();
    };
    absl::flat_hash_set<InodeNumber> seen;  // listed already, by another name
    const auto map = [&](const TreeEntry& entry) -> absl::Status {
      IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, (*filesystem)->Open(entry.inode));
      IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
      if (attributes.type != FileType::kRegular) {
        return entry.type == FileType::kUnknown ? absl::OkStatus() : WrongType(entry, attributes);
      }
      if (!seen.insert(entry.inode).second) {
        return absl::OkStatus();
      }
      return format.Write({image, entry.path, attributes.size, *info, *file});
    };
    Progress progress("inodes", info->inode_count - info->free_inode_count);
    uint64_t passed = 0;
    const absl::Status status = WalkTree(
        **filesystem,
        [&](const TreeEntry& entry) {
          progress.Show(++passed);
          const bool may_be_regular =
              entry.type == FileType::kRegular || entry.type == FileType::kUnknown;
          const absl::Status mapped = may_be_regular ? map(entry) : absl::OkStatus();
          return mapped.ok() ? output.ok() : failed(entry.path, mapped);
        },
        failed);
    return status.ok() ? exit_status : Graver(exit_status, ReportError(image, status));
  }

  static absl::Status WrongType(const TreeEntry& entry, const Attributes& attributes) {
    return absl::DataLossError(absl::StrCat("inode ", entry.inode, ": a ",
                                            FileTypeName(attributes.type), ", its directory says ",
                                            FileTypeName(entry.type)));
  }

  std::string format_;
  bool all_ = false;
  bool past_eof_ = false;
  std::vector<std::string> operands_;
};

}  // namespace

std::unique_ptr<Command> MakeMapCommand() { return std::make_unique<MapCommand>(); }

}  // namespace iomap::tools
