#include "tools/target.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tools/exit_status.h"

namespace iomap::tools {
namespace {

// The N of a trailing ":<N>"; `*image` is what stands in front of it. absl::SimpleAtoi would also
// take spaces and a plus sign.
std::optional<InodeNumber> InodeSuffix(absl::string_view argument, absl::string_view* image) {
  const size_t mark = argument.rfind(":<");
  if (mark == absl::string_view::npos || argument.back() != '>') {
    return std::nullopt;
  }
  const absl::string_view digits = argument.substr(mark + 2, argument.size() - mark - 3);
  InodeNumber inode = 0;
  if (digits.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(digits, &inode)) {
    return std::nullopt;
  }
  *image = argument.substr(0, mark);
  return inode;
}

}  // namespace

absl::StatusOr<Target> ParseTarget(absl::string_view argument) {
  const size_t colon = argument.find(":/");
  absl::string_view image = argument.substr(0, colon);
  Target target;
  if (colon != absl::string_view::npos) {
    target.path = std::string(argument.substr(colon + 1));
  } else {
    target.inode = InodeSuffix(argument, &image);
    if (!target.inode.has_value()) {
      return UsageError(absl::StrCat(
          "\"", argument, "\" names no file in an image: write IMAGE:/PATH or IMAGE:<INODE>"));
    }
    target.path = absl::StrCat("<", *target.inode, ">");
  }
  if (image.empty()) {
    return UsageError(absl::StrCat("\"", argument, "\" names no image"));
  }
  target.image = std::string(image);
  return target;
}

absl::StatusOr<InodeNumber> ResolveTarget(Filesystem& filesystem, const Target& target,
                                          LastLink last) {
  if (target.inode.has_value()) {
    return *target.inode;
  }
  absl::StatusOr<InodeNumber> inode = ResolvePath(filesystem, target.path, last);
  if (!inode.ok()) {
    return AtPath(target.path, inode.status());
  }
  return inode;
}

absl::StatusOr<OpenedTarget> OpenTarget(dax::Filesystem& filesystem, const Target& target,
                                        LastLink last) {
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber inode, ResolveTarget(filesystem, target, last));
  absl::StatusOr<std::shared_ptr<dax::File>> file = filesystem.OpenFile(inode);
  if (!file.ok()) {
    return AtPath(target.path, file.status());
  }
  const absl::StatusOr<Attributes> attributes = (*file)->attributes();
  if (!attributes.ok()) {
    return AtPath(target.path, attributes.status());
  }
  return OpenedTarget{*std::move(file), *attributes};
}

absl::Status RequireRegularFile(const Target& target, const Attributes& attributes) {
  if (attributes.type == FileType::kRegular) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(target.path, ": not a regular file but a ", FileTypeName(attributes.type)));
}

absl::Status AtPath(absl::string_view path, const absl::Status& status) {
  if (status.ok() || absl::StartsWith(status.message(), path)) {
    return status;
  }
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace iomap::tools
