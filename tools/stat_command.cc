#include <string>

#include "absl/strings/str_format.h"
#include "iomap/status_macros.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/target_command.h"
#include "tools/text_or_json.h"
#include "tools/timestamp_text.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(blocks are units of 512 bytes. json prints one object: inode, type, mode (st_mode, a number),
uid, gid, nlink, size, blocks, mtime, ctime, atime (seconds, nine decimals), and the target of
a symbolic link. A link is not followed. Dates are in UTC.

  iomap stat disk.img:/etc/hostname)";

// "drwxr-xr-x", as ls -l writes it.
std::string ModeText(const Attributes& attributes) {
  static constexpr char kTypeLetters[] = "?-dcbpsl";  // indexed by FileType
  std::string text(1, kTypeLetters[static_cast<size_t>(attributes.type)]);
  for (int shift = 6; shift >= 0; shift -= 3) {
    const uint32_t bits = attributes.mode >> shift;
    const bool special = (attributes.mode >> (9 + shift / 3)) & 1;  // set-uid, set-gid, sticky
    const char executable = shift == 0 ? 't' : 's';
    const char only_special = shift == 0 ? 'T' : 'S';
    text += (bits & 4) != 0 ? 'r' : '-';
    text += (bits & 2) != 0 ? 'w' : '-';
    if (special) {
      text += (bits & 1) != 0 ? executable : only_special;
    } else {
      text += (bits & 1) != 0 ? 'x' : '-';
    }
  }
  return text;
}

class StatCommand : public TargetCommand {
 public:
  absl::string_view name() const override { return "stat"; }
  absl::string_view summary() const override { return "What an inode says of its file"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    TargetCommand::Declare(arguments);
    format_.Declare(arguments);
  }

 private:
  absl::Status RunOn(dax::Filesystem& filesystem, const Target& target, Output& output) override {
    IOMAP_ASSIGN_OR_RETURN(const OpenedTarget opened,
                           OpenTarget(filesystem, target, LastLink::kKeep));
    const Attributes& attributes = opened.attributes;
    const bool is_link = attributes.type == FileType::kSymbolicLink;
    std::string link_target;
    if (is_link) {
      absl::StatusOr<std::string> read = filesystem.ReadLink(opened.file->inode());
      if (!read.ok()) {
        return AtPath(target.path, read.status());
      }
      link_target = *std::move(read);
    }
    if (format_.is_json()) {
      WriteJson(attributes, is_link ? &link_target : nullptr, output);
    } else {
      WriteText(target, attributes, is_link ? &link_target : nullptr, output);
    }
    return absl::OkStatus();
  }

  static void WriteJson(const Attributes& attributes, const std::string* link_target,
                        Output& output) {
    JsonObject object(output);
    object.Number("inode", attributes.inode)
        .String("type", FileTypeName(attributes.type))
        .Number("mode", attributes.mode)
        .Number("uid", attributes.uid)
        .Number("gid", attributes.gid)
        .Number("nlink", attributes.link_count)
        .Number("size", attributes.size)
        .Number("blocks", attributes.blocks_512)
        .Time("mtime", attributes.modification_time)
        .Time("ctime", attributes.change_time)
        .Time("atime", attributes.access_time);
    if (link_target != nullptr) {
      object.String("target", *link_target);
    }
    object.EndLine();
  }

  static void WriteText(const Target& target, const Attributes& attributes,
                        const std::string* link_target, Output& output) {
    output.Append(absl::StrCat("  File: ", target.image, ":", target.path));
    if (link_target != nullptr) {
      output.Append(absl::StrCat(" -> ", *link_target));
    }
    output.Append(absl::StrFormat("\n  Size: %-15d Blocks: %-10d %s\n", attributes.size,
                                  attributes.blocks_512, FileTypeName(attributes.type)));
    output.Append(
        absl::StrFormat(" Inode: %-15d Links: %d\n", attributes.inode, attributes.link_count));
    output.Append(absl::StrFormat("Access: (%04o/%s)  Uid: %d  Gid: %d\n", attributes.mode & 07777,
                                  ModeText(attributes), attributes.uid, attributes.gid));
    output.Append(absl::StrCat("Access: ", DateText(attributes.access_time),
                               "\nModify: ", DateText(attributes.modification_time),
                               "\nChange: ", DateText(attributes.change_time), "\n"));
  }

  TextOrJson format_;
};

}  // namespace

std::unique_ptr<Command> MakeStatCommand() { return std::make_unique<StatCommand>(); }

}  // namespace iomap::tools
