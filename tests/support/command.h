#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iomap::tests {

// A program and its arguments, as execve(2) takes them; no shell looks at them.
using Arguments = std::vector<std::string>;

// What is left when a program has ended.
struct CommandResult {
  int exit_status = 0;  // 128 + the signal when one ended it
  std::string output;
  std::string errors;
};

// The path of program `name` in PATH, /usr/sbin or /sbin; empty when there is none.
std::string FindProgram(absl::string_view name);

// Runs a program in the C locale and in UTC with `input` as its standard input, and waits for its
// end. Unavailable when it cannot be started.
absl::StatusOr<CommandResult> RunCommand(const Arguments& arguments, absl::string_view input = "");

// The standard output of a program that must succeed: Internal, with its command line and what it
// wrote to standard error, when its exit status is not 0.
absl::StatusOr<std::string> OutputOf(const Arguments& arguments, absl::string_view input = "");

}  // namespace iomap::tests
