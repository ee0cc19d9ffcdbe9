#include "tests/fuzz/fuzz_input.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "backends/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fuzz/mutation.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kMagicPlace = 1080;  // of ext4's superblock
constexpr char kMagic[] = "\x53\xef";

std::string BytesAt(const dax::Device& device, uint64_t address, size_t length) {
  return {reinterpret_cast<const char*>(device.bytes().data()) + address, length};
}

TEST(FuzzInput, IsTheTextThatItGives) {
  const char* const texts[] = {"ext4_checksums", "xfs_v4 kept size=70000",
                               "ext4_checksums 1080:53ef 4096<8192+1024 0:00"};
  for (const char* text : texts) {
    const std::optional<FuzzInput> input = FuzzInput::Parse(text);
    ASSERT_TRUE(input.has_value()) << text;
    EXPECT_EQ(input->Text(), text);
  }
}

TEST(FuzzInput, IsNotWhatHasAnotherForm) {
  const char* const texts[] = {"",         "XFSB\1",     "ext4 1080:5", "ext4 1080:", "ext4 x:00",
                               "ext4 1<2", "ext4 1<2+0", "ext4 size=",  "ext4 whole"};
  for (const char* text : texts) {
    EXPECT_FALSE(FuzzInput::Parse(text).has_value()) << text;
  }
}

TEST(FuzzInput, EditsTheImageInTheOrderGiven) {
  const absl::StatusOr<const BaseImage*> base = BaseImage::Get("ext4_checksums");
  ASSERT_THAT(base, IsOk());
  const FuzzInput input = {.base = "ext4_checksums",
                           .repairs_checksums = false,
                           .edits = {{.address = 0, .bytes = "abc"},
                                     {.address = 1, .from = kMagicPlace, .length = 2},
                                     {.address = (*base)->size() - 1, .bytes = "ab"}}};
  const absl::StatusOr<std::unique_ptr<dax::Device>> device = MakeDevice(input, **base);
  ASSERT_THAT(device, IsOk());
  EXPECT_EQ(BytesAt(**device, 0, 3), absl::StrCat("a", kMagic));
  EXPECT_EQ((*device)->size(), (*base)->size());
}

TEST(FuzzInput, CutsTheImage) {
  const absl::StatusOr<const BaseImage*> base = BaseImage::Get("xfs_v4");
  ASSERT_THAT(base, IsOk());
  const absl::StatusOr<std::unique_ptr<dax::Device>> device =
      MakeDevice({.base = "xfs_v4", .size = 12345}, **base);
  ASSERT_THAT(device, IsOk());
  EXPECT_EQ((*device)->size(), 12345u);
}

// With its checksum right again, a superblock that counts no inodes is refused for that.
TEST(FuzzInput, RepairsChecksumsUnlessTheyAreKept) {
  const absl::StatusOr<const BaseImage*> base = BaseImage::Get("ext4_checksums");
  ASSERT_THAT(base, IsOk());
  const FuzzInput repaired = {.base = "ext4_checksums",
                              .edits = {{.address = 1024, .bytes = std::string(4, '\0')}}};
  FuzzInput kept = repaired;
  kept.repairs_checksums = false;
  const auto error_of = [&](const FuzzInput& input) {
    dax::DeviceSet devices;
    devices.push_back(*MakeDevice(input, **base));
    return backends::OpenFilesystem(backends::BuiltInBackends(), std::move(devices), "", {})
        .status();
  };
  EXPECT_THAT(error_of(kept).message(), testing::HasSubstr("checksum"));
  EXPECT_THAT(error_of(repaired).message(), testing::Not(testing::HasSubstr("checksum")));
}

class Mutation : public testing::TestWithParam<std::string> {};

TEST_P(Mutation, GivesInputsThatAreTheirText) {
  const absl::StatusOr<const BaseImage*> base = BaseImage::Get(GetParam());
  ASSERT_THAT(base, IsOk());
  std::mt19937 random(1);
  FuzzInput input = {.base = GetParam()};
  size_t with_edits = 0;
  for (int i = 0; i < 500; ++i) {
    input = Mutate(input, **base, random, [&](absl::Span<std::byte> bytes) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    });
    const std::optional<FuzzInput> parsed = FuzzInput::Parse(input.Text());
    ASSERT_TRUE(parsed.has_value()) << input.Text();
    EXPECT_EQ(parsed->edits, input.edits);
    with_edits += input.edits.empty() ? 0 : 1;
  }
  EXPECT_GT(with_edits, 300u);
}

INSTANTIATE_TEST_SUITE_P(Images, Mutation, testing::Values("ext4_journal", "xfs_log"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace iomap::tests
