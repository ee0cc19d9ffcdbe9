#include "tools/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace iomap::tools {
namespace {

constexpr std::chrono::milliseconds kPatience(500);
constexpr std::chrono::milliseconds kInterval(100);
constexpr size_t kBarColumns = 40;

}  // namespace

Progress::Progress(absl::string_view unit, uint64_t total)
    : is_wanted_(isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) == 0),
      unit_(unit),
      total_(total),
      next_(Clock::now() + kPatience) {}

bool Progress::is_shown_ = false;

Progress::~Progress() { Wipe(); }

void Progress::Wipe() {
  if (is_shown_) {
    std::fputs("\r\x1b[K", stderr);  // back to the first column, and erase the line
    is_shown_ = false;
  }
}

void Progress::ShowOnTerminal(uint64_t done) {
  const Clock::time_point now = Clock::now();
  if (now < next_) {
    return;
  }
  next_ = now + kInterval;
  is_shown_ = true;
  std::fprintf(stderr, "\r%s", ProgressLine(unit_, done, total_).c_str());
}

std::string ProgressLine(absl::string_view unit, uint64_t done, uint64_t total) {
  const double share =
      total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const size_t filled = static_cast<size_t>(share * kBarColumns);
  return absl::StrFormat("[%s%s] %3d %% of %d %s", std::string(filled, '#'),
                         std::string(kBarColumns - filled, '.'), static_cast<int>(share * 100),
                         total, unit);
}

}  // namespace iomap::tools
