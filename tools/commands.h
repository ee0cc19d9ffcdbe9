#pragma once

#include <memory>
#include <vector>

#include "tools/command.h"

namespace iomap::tools {

// One function a sub-command, each in the file of that name.
std::unique_ptr<Command> MakeInfoCommand();
std::unique_ptr<Command> MakeLsCommand();
std::unique_ptr<Command> MakeStatCommand();
std::unique_ptr<Command> MakeCatCommand();
std::unique_ptr<Command> MakeMapCommand();
std::unique_ptr<Command> MakeSeekCommand();
std::unique_ptr<Command> MakeBmapCommand();
std::unique_ptr<Command> MakeReplayCommand();

}  // namespace iomap::tools
