#pragma once

namespace iomap::backends {

// What to do with a journal or log that holds changes which the medium does not have yet.
enum class DirtyJournal {
  kRefuse,  // open fails: Unimplemented, with a message that names --no-replay
  kIgnore,  // read what lies on the medium (--no-replay)
};

// How a backend opens a file system.
struct OpenOptions {
  DirtyJournal dirty_journal = DirtyJournal::kRefuse;
};

}  // namespace iomap::backends
