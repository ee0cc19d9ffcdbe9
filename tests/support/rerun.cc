#include "tests/support/rerun.h"

#include <errno.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace iomap::tests {

uint64_t Seed() { return std::max(1, GTEST_FLAG_GET(random_seed)); }

std::string RerunLine() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  return absl::StrCat("rerun: ", program_invocation_name,
                      " --gtest_filter=", test.test_suite_name(), ".", test.name(),
                      " --gtest_random_seed=", Seed());
}

}  // namespace iomap::tests
