#include "dax/page_traps.h"

#include <array>

#include "dax/entry.h"
#include "dax/no_traps.h"
#include "dax/signal_traps.h"
#include "dax/userfault_traps.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::dax {

absl::Span<const Tracking> AllTrackings() {
  static constexpr std::array kAll = {Tracking::kAsync, Tracking::kAsyncUser,
                                      Tracking::kWriteFaults, Tracking::kSignals,
                                      Tracking::kNothing};
  return kAll;
}

absl::string_view TrackingName(Tracking tracking) {
  switch (tracking) {
    case Tracking::kAsync:
      return "async";
    case Tracking::kAsyncUser:
      return "async-user";
    case Tracking::kWriteFaults:
      return "write-faults";
    case Tracking::kSignals:
      return "signals";
    case Tracking::kNothing:
      return "nothing";
  }
  return "";
}

PageTraps::~PageTraps() = default;

absl::Status PageTraps::Put(const MemoryRange& place, const Pages& pages) {
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made, MakePages(place.bytes, pages));
  return MoveMemory(made, place.begin);
}

absl::Status PageTraps::Try(int descriptor, uint64_t offset) {
  const PageState state = notes_stores() ? PageState::kWritable : PageState::kReadOnly;
  IOMAP_ASSIGN_OR_RETURN(const MemoryRange made,
                         MakePages(kPageBytes, {state, descriptor, offset}));
  UnmapMemory(made);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PageTraps>> PageTraps::Make(Tracking tracking) {
  switch (tracking) {
    case Tracking::kAsync:
    case Tracking::kAsyncUser:
    case Tracking::kWriteFaults:
      return UserfaultTraps::Make(tracking);
    case Tracking::kSignals:
      return SignalTraps::Make();
    case Tracking::kNothing:
      return NoTraps::Make();
  }
  IOMAP_CHECK(false);
  return nullptr;
}

}  // namespace iomap::dax
