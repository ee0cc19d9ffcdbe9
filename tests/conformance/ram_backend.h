#pragma once

#include "tests/conformance/conformance.h"

namespace iomap::conformance {

// The reference backend, with a prepared file system that shows all that it can do.
Backend RamBackend();

}  // namespace iomap::conformance
