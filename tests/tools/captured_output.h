#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "tools/output.h"

namespace iomap::tests {

// What `write` writes to the output that it is given.
std::string Captured(absl::FunctionRef<void(tools::Output&)> write);

}  // namespace iomap::tests
