#include "tools/timestamp_text.h"

#include <ctime>

#include "absl/strings/str_format.h"

namespace iomap::tools {

std::string SecondsText(const Timestamp& time) {
  if (time.seconds >= 0 || time.nanoseconds == 0) {
    return absl::StrFormat("%d.%09u", time.seconds, time.nanoseconds);
  }
  // The nanoseconds count upward from the second before: -1 s and 0.5 s is half a second before
  // 1970.
  const int64_t whole = -(time.seconds + 1);
  return absl::StrFormat("-%d.%09u", whole, 1'000'000'000 - time.nanoseconds);
}

std::string DateText(const Timestamp& time) {
  const time_t seconds = time.seconds;
  struct tm date;
  if (gmtime_r(&seconds, &date) == nullptr) {
    return SecondsText(time);  // a year that does not fit an int
  }
  return absl::StrFormat("%04d-%02d-%02d %02d:%02d:%02d.%09u +0000", date.tm_year + int64_t{1900},
                         date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec,
                         time.nanoseconds);
}

}  // namespace iomap::tools
