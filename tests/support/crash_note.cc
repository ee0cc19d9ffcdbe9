#include "tests/support/crash_note.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

// The sanitizers' runtime has it; null in a build without them.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace iomap::tests {
namespace {

char note[4096];  // read by a signal handler: no allocation, no destructor

void WriteNote() {
  // Nothing can be done about a failing write while the process dies.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, note, strlen(note));
}

void HandleSignal(int number) {
  WriteNote();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void Install() {
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(&WriteNote);
    return;
  }
  for (int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM}) {
    std::signal(number, &HandleSignal);
  }
}

}  // namespace

void NoteForCrash(const std::string& line) {
  static const bool installed = (Install(), true);
  static_cast<void>(installed);
  const size_t bytes = std::min(line.size(), sizeof note - 2);
  std::memcpy(note, line.data(), bytes);
  note[bytes] = '\n';
  note[bytes + 1] = '\0';
}

}  // namespace iomap::tests
