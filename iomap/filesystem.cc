#include "iomap/filesystem.h"

#include "absl/strings/str_cat.h"

namespace iomap {

Filesystem::~Filesystem() = default;

absl::StatusOr<std::string> Filesystem::ReadLink(InodeNumber link) {
  return absl::UnimplementedError(absl::StrCat("inode ", link, ": no symbolic links here"));
}

}  // namespace iomap
