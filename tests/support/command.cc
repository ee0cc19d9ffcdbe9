#include "tests/support/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

// A file in memory: a program's standard streams, so that nobody has to read them while it runs.
absl::StatusOr<FileDescriptor> MemoryFile(const char* name, absl::string_view contents) {
  FileDescriptor file(memfd_create(name, MFD_CLOEXEC));
  if (!file.is_open()) {
    return SystemError("memfd_create");
  }
  size_t written = 0;
  while (written < contents.size()) {
    const ssize_t count = pwrite(file.get(), contents.data() + written, contents.size() - written,
                                 static_cast<off_t>(written));
    if (count < 0) {
      return SystemError("write to a file in memory");
    }
    written += count;
  }
  return file;
}

absl::StatusOr<std::string> ContentsOf(const FileDescriptor& file) {
  std::string contents(lseek(file.get(), 0, SEEK_END), '\0');
  if (pread(file.get(), contents.data(), contents.size(), 0) !=
      static_cast<ssize_t>(contents.size())) {
    return SystemError("read from a file in memory");
  }
  return contents;
}

std::vector<std::string> ProgramEnvironment() {
  std::vector<std::string> environment = {"LC_ALL=C", "TZ=UTC"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "LC_ALL=") && !absl::StartsWith(*variable, "TZ=")) {
      environment.emplace_back(*variable);
    }
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) {
    pointers.push_back(string.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::string FindProgram(absl::string_view name) {
  const char* path = std::getenv("PATH");
  const std::string folders = absl::StrCat(path == nullptr ? "" : path, ":/usr/sbin:/sbin");
  for (absl::string_view folder : absl::StrSplit(folders, ':', absl::SkipEmpty())) {
    std::string candidate = absl::StrCat(folder, "/", name);
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return "";
}

absl::StatusOr<CommandResult> RunCommand(const Arguments& arguments, absl::string_view input) {
  const std::string program = FindProgram(arguments.front());
  if (program.empty()) {
    return absl::UnavailableError(absl::StrCat(arguments.front(), ": no such program"));
  }
  IOMAP_ASSIGN_OR_RETURN(const FileDescriptor standard_input, MemoryFile("stdin", input));
  IOMAP_ASSIGN_OR_RETURN(const FileDescriptor output, MemoryFile("stdout", ""));
  IOMAP_ASSIGN_OR_RETURN(const FileDescriptor errors, MemoryFile("stderr", ""));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, standard_input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.get(), STDERR_FILENO);
  std::vector<std::string> argument_strings = arguments;
  std::vector<std::string> environment_strings = ProgramEnvironment();
  pid_t child = 0;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, nullptr, Pointers(argument_strings).data(),
                  Pointers(environment_strings).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(program, ": ", std::strerror(error)));
  }
  int wait_status = 0;
  while (waitpid(child, &wait_status, 0) < 0) {
    if (errno != EINTR) {
      return SystemError("waitpid");
    }
  }
  CommandResult result;
  result.exit_status =
      WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  IOMAP_ASSIGN_OR_RETURN(result.output, ContentsOf(output));
  IOMAP_ASSIGN_OR_RETURN(result.errors, ContentsOf(errors));
  return result;
}

absl::StatusOr<std::string> OutputOf(const Arguments& arguments, absl::string_view input) {
  IOMAP_ASSIGN_OR_RETURN(CommandResult result, RunCommand(arguments, input));
  if (result.exit_status != 0) {
    return absl::InternalError(absl::StrCat(absl::StrJoin(arguments, " "), ": exit status ",
                                            result.exit_status, ": ", result.errors));
  }
  return std::move(result.output);
}

}  // namespace iomap::tests
