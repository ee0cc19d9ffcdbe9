#include "backends/xfs/journal.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/xfs/log.h"
#include "backends/xfs/log_recovery.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

absl::StatusOr<Log::State> FindLogState(const Volume& volume) {
  IOMAP_ASSIGN_OR_RETURN(const Log log, Log::Open(volume));
  return log.FindState();
}

absl::StatusOr<UnfinishedChanges> Recover(const Log::State& state, Volume& volume,
                                          const backends::ReplayObserver& observer) {
  IOMAP_ASSIGN_OR_RETURN(const Log log, Log::Open(volume));
  return RecoverLog(log, state, volume, observer);
}

absl::Status WithWayOut(const absl::Status& status) {
  return absl::Status(
      status.code(), absl::StrCat(status.message(), "; --no-replay reads what lies on the medium"));
}

}  // namespace

absl::StatusOr<Journal> SettleJournal(Volume& volume, const backends::OpenOptions& options) {
  const bool replays = options.dirty_journal == backends::DirtyJournal::kReplay;
  if (volume.superblock.log_start == 0) {
    if (replays) {
      return absl::UnimplementedError(
          "the log is on a device of its own and cannot be looked at: it may hold changes that are "
          "not on the medium yet; --no-replay reads what lies there");
    }
    return Journal{JournalState::kExternal, {}};
  }
  const absl::StatusOr<Log::State> state = FindLogState(volume);
  if (!state.ok()) {
    if (replays) {
      return WithWayOut(state.status());
    }
    return Journal{JournalState::kDamaged, {}};
  }
  if (state->clean) {
    return Journal{JournalState::kClean, {}};
  }
  if (!replays) {
    return Journal{JournalState::kDirty, {}};
  }
  absl::StatusOr<UnfinishedChanges> unfinished = Recover(*state, volume, options.on_replay);
  if (!unfinished.ok()) {
    return WithWayOut(unfinished.status());
  }
  return Journal{JournalState::kReplayed, *std::move(unfinished)};
}

}  // namespace iomap::xfs
