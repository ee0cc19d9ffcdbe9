#include <unistd.h>

#include <memory>
#include <vector>

#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/output.h"

// The command `iomap`: its sub-commands, in the order in which --help lists them.
int main(int argc, char** argv) {
  using namespace iomap::tools;
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(MakeInfoCommand());
  commands.push_back(MakeLsCommand());
  commands.push_back(MakeStatCommand());
  commands.push_back(MakeCatCommand());
  commands.push_back(MakeMapCommand());
  commands.push_back(MakeSeekCommand());
  commands.push_back(MakeBmapCommand());
  Output output(STDOUT_FILENO);
  return static_cast<int>(RunCommandLine(argc, argv, commands, output));
}
