#include "backends/ext4/journal_recovery.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ext4/fast_commit_log.h"
#include "backends/ext4/fast_commit_replay.h"
#include "backends/ext4/format.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/journal_log.h"
#include "backends/ext4/journal_replay.h"
#include "backends/ext4/orphans.h"
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

namespace {

// Replays the transactions and fast commits of a dirty journal. False when none of them is whole.
absl::StatusOr<bool> ReplayJournal(Volume& volume, const backends::ReplayObserver& on_replay) {
  IOMAP_ASSIGN_OR_RETURN(const Journal journal, Journal::Open(volume));
  IOMAP_ASSIGN_OR_RETURN(const JournalLog log, ScanLog(journal));
  std::vector<FastCommitRecord> fast_commits;
  if (journal.superblock().has_fast_commits) {
    IOMAP_ASSIGN_OR_RETURN(
        fast_commits, ScanFastCommits(journal, log.next_sequence, volume.superblock().inode_size));
  }
  IOMAP_RETURN_IF_ERROR(ReplayLog(volume, journal, log, on_replay));
  IOMAP_RETURN_IF_ERROR(volume.Reload());
  IOMAP_RETURN_IF_ERROR(ReplayFastCommits(volume, fast_commits, log.next_sequence, on_replay));
  return !log.transactions.empty() || !fast_commits.empty();
}

absl::StatusOr<JournalState> Recover(Volume& volume, const backends::ReplayObserver& on_replay) {
  IOMAP_ASSIGN_OR_RETURN(const JournalState state, ReadJournalState(volume));
  if (state == JournalState::kExternal) {
    return absl::UnimplementedError(
        "ext4 journal: it needs recovery, and is on a device of its own");
  }
  if ((volume.superblock().features.incompat & kIncompatRecover) == 0) {
    return state;
  }
  bool has_replayed = false;
  if (state == JournalState::kDirty || state == JournalState::kClean) {
    IOMAP_ASSIGN_OR_RETURN(const Journal journal, Journal::Open(volume));
    if (journal.superblock().has_error) {
      volume.NoteError();
    }
  }
  if (state == JournalState::kDirty) {
    IOMAP_ASSIGN_OR_RETURN(has_replayed, ReplayJournal(volume, on_replay));
  }
  IOMAP_ASSIGN_OR_RETURN(const bool had_orphans, ProcessOrphans(volume, on_replay));
  if (has_replayed || had_orphans) {
    IOMAP_RETURN_IF_ERROR(volume.Reload());
    return JournalState::kReplayed;
  }
  return state == JournalState::kDirty ? JournalState::kClean : state;
}

}  // namespace

absl::StatusOr<JournalState> RecoverJournal(Volume& volume,
                                            const backends::ReplayObserver& on_replay) {
  absl::StatusOr<JournalState> state = Recover(volume, on_replay);
  if (absl::IsNotFound(state.status()) || absl::IsFailedPrecondition(state.status()) ||
      absl::IsResourceExhausted(state.status())) {
    // The journal speaks of an inode that is not there, or is of the wrong kind, or wants more
    // blocks than there are, though who wrote it had them.
    return absl::DataLossError(absl::StrCat("ext4 journal recovery: ", state.status().message()));
  }
  return state;
}

}  // namespace iomap::ext4
