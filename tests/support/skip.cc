#include "tests/support/skip.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/command.h"

namespace iomap::tests {

std::string WhyNoMount() {
  if (geteuid() != 0) {
    return "mounting needs root";
  }
  if (access("/dev/loop-control", R_OK | W_OK) != 0) {
    return "mounting needs loop devices";
  }
  return "";
}

std::string WhyNoProgram(const std::string& program) {
  return FindProgram(program).empty() ? "no program " + program : "";
}

}  // namespace iomap::tests
