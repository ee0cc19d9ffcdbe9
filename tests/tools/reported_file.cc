#include "tests/tools/reported_file.h"

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/captured_output.h"

namespace iomap::tests {

std::string ReportedListedFile::In(absl::string_view format, tools::PastEof past_eof) {
  return Captured([&](tools::Output& output) {
    EXPECT_THAT(tools::MakeMapFormat(format, past_eof, output)->Write(report()), IsOk());
  });
}

}  // namespace iomap::tests
