#include "tests/fuzz/journal_checksums.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/base_image.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

std::vector<std::string> DirtyImages() {
  std::vector<std::string> names;
  for (const char* backend : {"ext4_journal", "xfs_log"}) {
    for (std::string& name : BaseImage::Names(backend)) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

class ChecksumsOfJournal : public testing::TestWithParam<std::string> {};

TEST_P(ChecksumsOfJournal, AreRightInAnImageThatLinuxWrote) {
  const absl::StatusOr<const BaseImage*> base = BaseImage::Get(GetParam());
  ASSERT_THAT(base, IsOk());
  EXPECT_TRUE((*base)->is_dirty());
  const absl::StatusOr<std::unique_ptr<dax::Device>> device =
      MakeDevice({.base = GetParam()}, **base);
  ASSERT_THAT(device, IsOk());
  const auto bytes = (*device)->bytes();
  const std::vector<std::byte> before(bytes.begin(), bytes.end());
  ASSERT_THAT((*base)->journal_checksums().Repair({0, (*base)->size()}, **device), IsOk());
  const auto difference = std::mismatch(before.begin(), before.end(), bytes.begin());
  EXPECT_EQ(difference.first - before.begin(), static_cast<ptrdiff_t>(before.size()));
}

INSTANTIATE_TEST_SUITE_P(Images, ChecksumsOfJournal, testing::ValuesIn(DirtyImages()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace iomap::tests
