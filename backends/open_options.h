#pragma once

#include "backends/replay_action.h"

namespace iomap::backends {

// What to do with a journal or log that holds changes which the medium does not have yet.
enum class DirtyJournal {
  kReplay,  // put them in place, with Device::Write: in memory, when the device is opened to read
  kIgnore,  // read what lies on the medium (--no-replay)
};

// How a backend opens a file system.
struct OpenOptions {
  DirtyJournal dirty_journal = DirtyJournal::kReplay;
  ReplayObserver on_replay = nullptr;  // told of each action of a replay, when there is one
};

}  // namespace iomap::backends
