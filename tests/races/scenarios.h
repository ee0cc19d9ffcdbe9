#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tools/schedule/exploration.h"

namespace iomap::tests {

// One of the scenarios that all mistakes are looked for in; none was made for one of them. They are
// the races of DAX's history: see the table in README.md.
struct NamedScenario {
  std::string name;
  schedule::MakeScenario make;
};

inline void PrintTo(const NamedScenario& scenario, std::ostream* out) { *out << scenario.name; }

const std::vector<NamedScenario>& CommonScenarios();

}  // namespace iomap::tests
