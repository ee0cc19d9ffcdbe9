#include <signal.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/exit_status.h"
#include "tools/output.h"

namespace {

// The image is mapped: a page that the system cannot read, or that went with the end of a file
// somebody truncates, comes as a signal. Only write and _exit are safe here.
void EndAfterReadError(int /*signal*/) {
  constexpr char kLine[] = "iomap: a page of the image cannot be read: read error, or truncated\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kLine, sizeof kLine - 1);
  _exit(static_cast<int>(iomap::tools::ExitStatus::kSystemError));
}

}  // namespace

// The command `iomap`: its sub-commands, in the order in which --help lists them.
int main(int argc, char** argv) {
  using namespace iomap::tools;  // NOLINT(google-build-using-namespace): main has no namespace
  struct sigaction action = {};
  action.sa_handler = EndAfterReadError;
  sigaction(SIGBUS, &action, nullptr);
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(MakeInfoCommand());
  commands.push_back(MakeLsCommand());
  commands.push_back(MakeStatCommand());
  commands.push_back(MakeCatCommand());
  commands.push_back(MakeMapCommand());
  commands.push_back(MakeSeekCommand());
  commands.push_back(MakeBmapCommand());
  commands.push_back(MakeReplayCommand());
  Output output(STDOUT_FILENO);
  return static_cast<int>(RunCommandLine(argc, argv, commands, output));
}
