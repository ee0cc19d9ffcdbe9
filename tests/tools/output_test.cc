#include "tools/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/captured_output.h"

namespace iomap::tools {
namespace {

using tests::Captured;
using tests::StatusIs;

TEST(Output, KeepsTheOrderOfSmallAndLargePieces) {
  const std::string large(1000000, 'b');
  EXPECT_EQ(Captured([&](Output& output) {
              output.Append("a");
              output.Append(large);
              output.Append("c");
            }),
            "a" + large + "c");
}

TEST(Output, FillsItsBufferManyTimes) {
  std::string expected;
  const std::string text = Captured([&](Output& output) {
    for (uint64_t number = 0; number < 200000; ++number) {
      output.AppendNumber(number);
      output.Append("\n");
      expected += std::to_string(number) + "\n";
    }
  });
  EXPECT_EQ(text, expected);
}

TEST(Output, PutsTextAtEitherEdgeOfAColumn) {
  EXPECT_EQ(Captured([](Output& output) {
              output.AppendNumber(7, 3);
              output.AppendLeft("ab", 4);
              output.AppendRight("cd", 3);
              output.AppendNumber(12345, 3);
            }),
            "  7ab   cd12345");
}

TEST(Output, SaysThatTheDiskIsFullWhenItCloses) {
  Output output(open("/dev/full", O_WRONLY));
  output.Append("a");
  EXPECT_TRUE(output.ok());
  EXPECT_THAT(output.Close(),
              StatusIs(absl::StatusCode::kUnavailable, "write: No space left on device"));
}

TEST(Output, StopsWritingAfterAnError) {
  Output output(open("/dev/full", O_WRONLY));
  output.Append(std::string(1000000, 'a'));
  EXPECT_FALSE(output.ok());
  output.Append("b");
  EXPECT_THAT(output.Close(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(Output, SaysThatItsDescriptorIsClosedEvenWhenThereIsNothingToWrite) {
  Output output(-1);
  EXPECT_THAT(output.Close(), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace iomap::tools
