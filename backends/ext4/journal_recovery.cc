#include "backends/ext4/journal_recovery.h"

#include "backends/ext4/format.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/journal_log.h"
#include "backends/ext4/journal_replay.h"
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
    return JournalState::kExternal;
  }
  IOMAP_ASSIGN_OR_RETURN(const Journal journal, Journal::Open(volume));
  return journal.superblock().start == 0 ? JournalState::kClean : JournalState::kDirty;
}

absl::StatusOr<JournalState> RecoverJournal(Volume& volume,
                                            const backends::ReplayObserver& on_replay) {
  IOMAP_ASSIGN_OR_RETURN(const JournalState state, ReadJournalState(volume));
  if (state == JournalState::kExternal) {
    return absl::UnimplementedError(
        "ext4 journal: it needs recovery, and is on a device of its own");
  }
  if (state != JournalState::kDirty) {
    return state;
  }
  IOMAP_ASSIGN_OR_RETURN(const Journal journal, Journal::Open(volume));
  IOMAP_ASSIGN_OR_RETURN(const JournalLog log, ScanLog(journal));
  IOMAP_RETURN_IF_ERROR(ReplayLog(volume, journal, log, on_replay));
  IOMAP_RETURN_IF_ERROR(volume.Reload());
  return log.transactions.empty() ? JournalState::kClean : JournalState::kReplayed;
}

}  // namespace iomap::ext4
