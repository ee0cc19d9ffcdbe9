#include "backends/xfs/journal_state.h"

#include "absl/strings/str_cat.h"
#include "backends/xfs/log.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

absl::StatusOr<Log::State> FindLogState(const Volume& volume) {
  IOMAP_ASSIGN_OR_RETURN(const Log log, Log::Open(volume));
  return log.FindState();
}

}  // namespace

absl::StatusOr<JournalState> CheckJournal(const Volume& volume,
                                          backends::DirtyJournal dirty_journal) {
  const bool refuses = dirty_journal == backends::DirtyJournal::kReplay;
  if (volume.superblock.log_start == 0) {
    if (refuses) {
      return absl::UnimplementedError(
          "the log is on a device of its own and cannot be looked at: it may hold changes that are "
          "not on the medium yet; --no-replay reads what lies there");
    }
    return JournalState::kExternal;
  }
  const absl::StatusOr<Log::State> state = FindLogState(volume);
  if (!state.ok()) {
    if (refuses) {
      return absl::DataLossError(
          absl::StrCat(state.status().message(), "; --no-replay reads what lies on the medium"));
    }
    return JournalState::kDamaged;
  }
  if (state->clean) {
    return JournalState::kClean;
  }
  if (refuses) {
    return absl::UnimplementedError(
        absl::StrCat("the log is dirty (head ", state->head, ", tail ", state->tail,
                     "): changes are not on the medium yet; --no-replay reads what lies there"));
  }
  return JournalState::kDirty;
}

}  // namespace iomap::xfs
