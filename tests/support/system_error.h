#pragma once

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace iomap::tests {

// The status for a system call that has just failed, with `what` was done and errno's words.
template <typename... Parts>
absl::Status SystemError(const Parts&... what) {
  const int error = errno;
  return absl::UnavailableError(absl::StrCat(what..., ": ", std::strerror(error)));
}

}  // namespace iomap::tests
