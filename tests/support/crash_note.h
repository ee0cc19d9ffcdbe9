#pragma once

#include <string>

namespace iomap::tests {

// Keeps a line that is written to standard error when the process dies of a signal or of a
// sanitizer's finding: which case it was.
void NoteForCrash(const std::string& line);

}  // namespace iomap::tests
