#include "iomap/scheduler.h"

namespace iomap {

Scheduler::~Scheduler() = default;

}  // namespace iomap
