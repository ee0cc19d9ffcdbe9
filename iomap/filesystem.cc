#include "iomap/filesystem.h"

#include "absl/strings/str_cat.h"

namespace iomap {

absl::string_view JournalStateName(JournalState state) {
  switch (state) {
    case JournalState::kNone:
      return "none";
    case JournalState::kClean:
      return "clean";
    case JournalState::kReplayed:
      return "replayed";
    case JournalState::kDirty:
      return "dirty, not replayed";
    case JournalState::kDamaged:
      return "damaged, not replayed";
    case JournalState::kExternal:
      return "external, not looked at";
  }
  return "unknown";
}

Filesystem::~Filesystem() = default;

absl::StatusOr<std::string> Filesystem::ReadLink(InodeNumber link) {
  return absl::UnimplementedError(absl::StrCat("inode ", link, ": no symbolic links here"));
}

}  // namespace iomap
