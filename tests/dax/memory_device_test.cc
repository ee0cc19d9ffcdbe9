#include "dax/memory_device.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using testing::HasSubstr;
using tests::IsOk;
using tests::StatusIs;

TEST(MemoryDevice, ShowsTheBytesThatItWasGiven) {
  const MemoryDevice device({std::byte{1}, std::byte{2}, std::byte{3}});
  EXPECT_EQ(device.size(), 3u);
  EXPECT_EQ(device.bytes()[1], std::byte{2});
  EXPECT_EQ(device.kind(), "memory");
}

TEST(MemoryDevice, ShowsWhatIsWrittenToIt) {
  MemoryDevice device(std::vector<std::byte>(100));
  const auto view = device.View({10, 20});
  ASSERT_THAT(view, IsOk());
  ASSERT_THAT(device.Write(29, {std::byte{1}, std::byte{2}}), IsOk());
  EXPECT_EQ(view->back(), std::byte{1});
  EXPECT_EQ(device.bytes()[30], std::byte{2});
  EXPECT_THAT(device.Write(99, {std::byte{1}, std::byte{2}}),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST(DeviceView, IsTheRangeInPlace) {
  const MemoryDevice device(std::vector<std::byte>(100));
  const auto view = device.View({10, 20});
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->data(), device.bytes().data() + 10);
  EXPECT_EQ(view->size(), 20u);
}

TEST(DeviceView, ReachesTheEndAndNotPastIt) {
  const MemoryDevice device(std::vector<std::byte>(100));
  EXPECT_THAT(device.View({0, 100}), IsOk());
  EXPECT_THAT(device.View({100, 0}), IsOk());
  EXPECT_THAT(device.View({100, 1}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("byte 100, length 1")));
  EXPECT_THAT(device.View({99, 2}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(device.View({101, 0}), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(DeviceView, IsNotFooledByNumbersThatWrap) {
  const MemoryDevice device(std::vector<std::byte>(100));
  EXPECT_THAT(device.View({50, ~uint64_t{0}}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(device.View({~uint64_t{0}, 50}), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace iomap::dax
