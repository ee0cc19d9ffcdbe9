#pragma once

#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstring>

namespace iomap::tests {

// memcpy, whose source or target may be a mapped file: false when it ends in SIGBUS. One thread at
// a time.
inline bool CopyUnlessSigbus(void* target, const void* source, size_t bytes) {
  static sigjmp_buf after_signal;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = [](int) { siglongjmp(after_signal, 1); };
  sigaction(SIGBUS, &action, &before);
  volatile bool copied = false;
  if (sigsetjmp(after_signal, 1) == 0) {
    std::memcpy(target, source, bytes);
    copied = true;
  }
  sigaction(SIGBUS, &before, nullptr);
  return copied;
}

}  // namespace iomap::tests
