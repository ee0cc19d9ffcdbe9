#include "dax/file_device.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using testing::HasSubstr;
using tests::IsOk;
using tests::StatusIs;

// An image file of `size` bytes, byte i being i mod 251, that is removed at the end of the test.
class ImageFile {
 public:
  explicit ImageFile(size_t size)
      : path_(testing::TempDir() + "file_device_test." +
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    for (size_t i = 0; i < size; ++i) {
      out.put(static_cast<char>(i % 251));
    }
  }
  ~ImageFile() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(FileDevice, ShowsTheWholeFile) {
  const ImageFile image(10000);
  const auto device = FileDevice::OpenReadOnly(image.path(), 0);
  ASSERT_THAT(device, IsOk());
  EXPECT_EQ((*device)->size(), 10000u);
  EXPECT_EQ((*device)->bytes()[9999], std::byte{9999 % 251});
  EXPECT_EQ((*device)->kind(), "file");
  EXPECT_THAT((*device)->flush(), HasSubstr("read-only"));
}

TEST(FileDevice, BeginsAtAnyOffsetInsideALargerImage) {
  const ImageFile image(10000);
  for (const uint64_t offset : {1, 512, 4095, 4096, 4097, 9999}) {
    const auto device = FileDevice::OpenReadOnly(image.path(), offset);
    ASSERT_THAT(device, IsOk());
    EXPECT_EQ((*device)->size(), 10000 - offset);
    EXPECT_EQ((*device)->bytes().front(), std::byte(offset % 251));
    EXPECT_EQ((*device)->bytes().back(), std::byte{9999 % 251});
  }
}

TEST(FileDevice, ViewsOfATruncatedImageAreDataLoss) {
  const ImageFile image(5000);
  const auto device = FileDevice::OpenReadOnly(image.path(), 1000);
  ASSERT_THAT(device, IsOk());
  EXPECT_THAT((*device)->View({0, 4000}), IsOk());
  EXPECT_THAT((*device)->View({0, 4096}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("4000 bytes")));
}

TEST(FileDevice, AnEmptyFileIsAnEmptyDevice) {
  const ImageFile image(0);
  const auto device = FileDevice::OpenReadOnly(image.path(), 0);
  ASSERT_THAT(device, IsOk());
  EXPECT_EQ((*device)->size(), 0u);
  EXPECT_THAT((*device)->View({0, 1}), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(FileDevice, AnOffsetAtTheEndIsAnEmptyDeviceAndPastItOutOfRange) {
  const ImageFile image(5000);
  const auto at_end = FileDevice::OpenReadOnly(image.path(), 5000);
  ASSERT_THAT(at_end, IsOk());
  EXPECT_EQ((*at_end)->size(), 0u);
  EXPECT_THAT(FileDevice::OpenReadOnly(image.path(), 5001),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("5001")));
  EXPECT_THAT(FileDevice::OpenReadOnly(image.path(), ~uint64_t{0}),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(FileDevice, SaysInTheSystemsWordsThatAFileIsMissing) {
  EXPECT_THAT(FileDevice::OpenReadOnly("/nonexistent/image", 0),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("No such file or directory")));
}

TEST(FileDevice, RefusesWhatIsNeitherAFileNorABlockDevice) {
  EXPECT_THAT(FileDevice::OpenReadOnly(testing::TempDir(), 0),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(FileDevice::OpenReadOnly("/dev/null", 0), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(FileDevice, ShowsWhatIsWrittenIntoTheImageLater) {
  const ImageFile image(5000);
  const auto device = FileDevice::OpenReadOnly(image.path(), 0);
  ASSERT_THAT(device, IsOk());
  std::fstream out(image.path(), std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(4096).put('x').flush();
  EXPECT_EQ((*device)->bytes()[4096], std::byte{'x'});
}

// The bytes of the file at `path`.
std::string ContentsOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(FileDevice, KeepsWhatIsWrittenInMemoryAndLeavesTheFileAlone) {
  const ImageFile image(20000);
  const std::string before = ContentsOf(image.path());
  const auto device = FileDevice::OpenReadOnly(image.path(), 1000);
  ASSERT_THAT(device, IsOk());
  const auto view = (*device)->View({4000, 6000});
  ASSERT_THAT(view, IsOk());
  const std::vector<std::byte> ones(5000, std::byte{0xff});
  ASSERT_THAT((*device)->Write(4500, ones), IsOk());
  EXPECT_EQ((*view)[499], std::byte{5499 % 251});
  EXPECT_EQ((*view)[500], std::byte{0xff});
  EXPECT_EQ((*view)[5499], std::byte{0xff});
  EXPECT_EQ((*view)[5500], std::byte{10500 % 251});
  EXPECT_EQ((*device)->bytes()[5000], std::byte{0xff});
  EXPECT_EQ(ContentsOf(image.path()), before);
}

TEST(FileDevice, WritesUpToItsEndAndNotPastIt) {
  const ImageFile image(5000);
  const auto device = FileDevice::OpenReadOnly(image.path(), 1000);
  ASSERT_THAT(device, IsOk());
  const std::vector<std::byte> ones(2, std::byte{0xff});
  EXPECT_THAT((*device)->Write(3998, ones), IsOk());
  EXPECT_THAT((*device)->Write(3999, ones), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT((*device)->Write(~uint64_t{0}, ones), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace iomap::dax
