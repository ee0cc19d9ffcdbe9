#include "tools/progress.h"

#include <string>

#include "gtest/gtest.h"

namespace iomap::tools {
namespace {

TEST(Progress, FillsTheBarInProportion) {
  EXPECT_EQ(ProgressLine("files", 6, 12),
            "[" + std::string(20, '#') + std::string(20, '.') + "]  50 % of 12 files");
  EXPECT_EQ(ProgressLine("files", 0, 12), "[" + std::string(40, '.') + "]   0 % of 12 files");
}

TEST(Progress, StopsAtTheEndWhenThereIsMoreThanWasThought) {
  EXPECT_EQ(ProgressLine("bytes", 13, 12), "[" + std::string(40, '#') + "] 100 % of 12 bytes");
  EXPECT_EQ(ProgressLine("bytes", 0, 0), "[" + std::string(40, '#') + "] 100 % of 0 bytes");
}

}  // namespace
}  // namespace iomap::tools
