#pragma once

#include <string>

#include "tools/arguments.h"

namespace iomap::tools {

// The option --format of sub-commands that print for people or for programs.
class TextOrJson {
 public:
  void Declare(Arguments& arguments) {
    arguments.Choice("--format", "FORMAT", {"text", "json"}, &format_, "How to print it");
  }
  bool is_json() const { return format_ == "json"; }

 private:
  std::string format_ = "text";
};

}  // namespace iomap::tools
