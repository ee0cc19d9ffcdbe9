#include "iomap/scheduler.h"

namespace iomap {

Scheduler::~Scheduler() = default;

absl::string_view StepName(Step step) {
  switch (step) {
    case Step::kBegin:
      return "begin";
    case Step::kLoad:
      return "load";
    case Step::kStore:
      return "store";
    case Step::kFault:
      return "fault";
    case Step::kWriteProtect:
      return "write-protect";
    case Step::kEntryFlush:
      return "flush";
    case Step::kDrain:
      return "drain";
    case Step::kCommit:
      return "commit";
    case Step::kPromise:
      return "promise";
  }
  return "step";
}

}  // namespace iomap
