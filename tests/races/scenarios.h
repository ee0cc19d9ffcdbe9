#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tools/schedule/exploration.h"

namespace iomap::tests {

// One of the scenarios that every mistake is looked for in: races of DAX's history, and what its
// callers rely on. They were chosen with the mistakes known, so that a mistake is found says that
// it can be, not that an unknown one would be.
struct NamedScenario {
  std::string name;
  schedule::MakeScenario make;
};

inline void PrintTo(const NamedScenario& scenario, std::ostream* out) { *out << scenario.name; }

const std::vector<NamedScenario>& CommonScenarios();

}  // namespace iomap::tests
