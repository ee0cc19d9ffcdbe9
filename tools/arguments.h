#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/exit_status.h"
#include "tools/image.h"
#include "tools/output.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}  // namespace CLI

namespace iomap::tools {

// What one sub-command accepts: filled by Command::Declare. Values are stored before Command::Run.
// Variables live as long as the command. `help` is a phrase without a full stop.
//
// The library that does the work is known to arguments.cc alone: its header is slow to compile.
class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(app) {}

  // An option without a value.
  void Flag(const std::string& name, bool* value, const std::string& help);
  // An option with a value, which help calls PLACEHOLDER.
  void Text(const std::string& name, const std::string& placeholder, std::string* value,
            const std::string& help);
  // One of a few words; *value holds the default.
  void Choice(const std::string& name, const std::string& placeholder,
              const std::vector<std::string>& words, std::string* value, const std::string& help);
  // A number of bytes in decimal; a K, M, G or T behind it (or KiB ...) multiplies by powers of
  // 1024.
  void Bytes(const std::string& name, const std::string& placeholder,
             std::optional<uint64_t>* value, const std::string& help);

  // Positional ones, all required, in the order of their declaration.
  void Operand(const std::string& name, std::string* value, const std::string& help);
  // A decimal number.
  void Operand(const std::string& name, uint64_t* value, const std::string& help);
  // One or more; declared last.
  void Operands(const std::string& name, std::vector<std::string>* values, const std::string& help);

 private:
  CLI::App& app_;
};

// Reads the command line, and runs the one of `commands` that it names with everything that it
// prints going to `output`, which is closed at the end. Help and the version go there too. Errors
// are reported.
ExitStatus RunCommandLine(int argc, const char* const* argv,
                          const std::vector<std::unique_ptr<Command>>& commands, Output& output);

}  // namespace iomap::tools
