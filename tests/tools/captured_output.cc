#include "tests/tools/captured_output.h"

#include <sys/mman.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {

std::string Captured(absl::FunctionRef<void(tools::Output&)> write) {
  const int descriptor = memfd_create("output", MFD_CLOEXEC);
  tools::Output output(dup(descriptor));
  write(output);
  EXPECT_THAT(output.Close(), IsOk());
  std::string text(static_cast<size_t>(lseek(descriptor, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  close(descriptor);
  return text;
}

}  // namespace iomap::tests
