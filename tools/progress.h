#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace iomap::tools {

// A progress bar on standard error for work that takes long: shown from the first half second on,
// ten times a second at most, and wiped when the work ends. Silent when standard error is no
// terminal, or standard output is one, whose text it would garble. Not thread-safe.
class Progress {
 public:
  // `unit` names what is counted ("files"), `total` how many there are, about.
  Progress(absl::string_view unit, uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Takes the bar that is shown, if there is one, off the terminal: another line is to be printed.
  static void Wipe();

  // Says that `done` of the total are behind us.
  void Show(uint64_t done) {
    if (is_wanted_) {
      ShowOnTerminal(done);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  void ShowOnTerminal(uint64_t done);

  static bool is_shown_;  // one terminal, one bar
  const bool is_wanted_;
  const std::string unit_;
  const uint64_t total_;
  Clock::time_point next_;
};

// The bar's line: "[#####.....]  50 % of 12 files", never above 100 %.
std::string ProgressLine(absl::string_view unit, uint64_t done, uint64_t total);

}  // namespace iomap::tools
