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

absl::StatusOr<InodeNumber> Filesystem::Create(InodeNumber directory, absl::string_view /*name*/,
                                               uint32_t /*mode*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", directory, ": no new names here"));
}

absl::StatusOr<InodeNumber> Filesystem::MakeSymbolicLink(InodeNumber directory,
                                                         absl::string_view /*name*/,
                                                         absl::string_view /*target*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", directory, ": no new names here"));
}

absl::Status Filesystem::Unlink(InodeNumber directory, absl::string_view /*name*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", directory, ": no names are removed here"));
}

absl::Status Filesystem::Sync() { return absl::UnimplementedError("no sync here"); }

}  // namespace iomap
