#include "backends/ext4/journal.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/file.h"
#include "backends/ext4/format.h"
#include "dax/io.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {

absl::StatusOr<JournalState> ReadJournalState(const Volume& volume) {
  const Superblock& superblock = volume.superblock();
  if ((superblock.features.compat & kCompatHasJournal) == 0) {
    return JournalState::kNone;
  }
  if ((superblock.features.incompat & kIncompatRecover) == 0) {
    return JournalState::kClean;
  }
  if (superblock.has_external_journal) {
    return JournalState::kDirty;
  }
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                         File::Open(volume, superblock.journal_inode));
  std::array<std::byte, sizeof(DiskJournalSuperblock)> bytes;
  IOMAP_ASSIGN_OR_RETURN(const size_t count, dax::Read(*file, 0, absl::MakeSpan(bytes)));
  const auto disk = backends::CopyOut<DiskJournalSuperblock>(bytes.data());
  if (count < bytes.size() || disk.magic.get() != kJournalMagic) {
    return absl::DataLossError(absl::StrCat("ext4 journal, inode ", superblock.journal_inode,
                                            ": magic ", disk.magic.get(), ", not ", kJournalMagic));
  }
  return disk.start.get() == 0 ? JournalState::kClean : JournalState::kDirty;
}

}  // namespace iomap::ext4
