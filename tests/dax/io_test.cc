#include "dax/io.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/mapping_writer.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using testing::HasSubstr;
using tests::DelallocIn;
using tests::InlineIn;
using tests::MappedAt;
using tests::StatusIs;
using tests::UnwrittenAt;

std::vector<std::byte> BytesOf(absl::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return std::byte(c); });
  return bytes;
}

// Two devices: capital letters on the main one, small letters on the other.
DeviceSet Letters() {
  DeviceSet devices;
  devices.push_back(std::make_unique<MemoryDevice>(BytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ")));
  devices.push_back(std::make_unique<MemoryDevice>(BytesOf("abcdefghijklmnopqrstuvwxyz")));
  return devices;
}

// A file on `devices` whose mappings are a list; inline bytes are digits.
class LettersFile : public File {
 public:
  LettersFile(const DeviceSet& devices, uint64_t size, std::vector<Mapping> mappings)
      : File(/*inode=*/14, devices), size_(size), mappings_(std::move(mappings)) {}

  absl::StatusOr<Attributes> attributes() override { return Attributes{.size = size_}; }

  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
    MappingWriter writer(range, out);
    for (const Mapping& mapping : mappings_) {
      if (!writer.Append(mapping)) {
        break;
      }
    }
    writer.AppendHoleUntil(range.end());
    return writer.count();
  }

  absl::Status ReadInline(uint64_t offset, absl::Span<std::byte> out) override {
    for (std::byte& byte : out) {
      byte = std::byte('0' + offset++ % 10);
    }
    return absl::OkStatus();
  }

 private:
  const uint64_t size_;
  const std::vector<Mapping> mappings_;
};

// The bytes that Read gives, zeros shown as dots; what it did not write stays '?'.
absl::StatusOr<std::string> TextOf(File& file, uint64_t offset, size_t size) {
  std::vector<std::byte> out(size, std::byte{'?'});
  const absl::StatusOr<size_t> count = Read(file, offset, absl::MakeSpan(out));
  if (!count.ok()) {
    return count.status();
  }
  std::string text;
  for (size_t i = 0; i < *count; ++i) {
    text += out[i] == std::byte{0} ? '.' : static_cast<char>(out[i]);
  }
  for (size_t i = *count; i < size; ++i) {
    EXPECT_EQ(out[i], std::byte{'?'}) << "written past the count, at " << i;
  }
  return text;
}

TEST(Read, CopiesMappedBytesAndZerosForHolesAndUnwrittenRanges) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 10,
                   {MappedAt(4, {2, 3}), UnwrittenAt(10, {5, 2}), MappedAt(0, {7, 2})});
  EXPECT_EQ(TextOf(file, 0, 10).value(), "..EFG..AB.");
}

TEST(Read, BeginsAndEndsInTheMiddleOfMappings) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 10, {MappedAt(4, {0, 5}), MappedAt(20, {5, 5})});
  EXPECT_EQ(TextOf(file, 3, 4).value(), "HIUV");
}

TEST(Read, IsShortAtTheEndOfFileThoughTheMappingGoesOn) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 3, {MappedAt(0, {0, 8})});
  EXPECT_EQ(TextOf(file, 1, 8).value(), "BC");
}

TEST(Read, HasNothingAtAndPastTheEndOfFile) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 3, {MappedAt(0, {0, 8})});
  EXPECT_EQ(TextOf(file, 3, 8).value(), "");
  EXPECT_EQ(TextOf(file, ~uint64_t{0}, 8).value(), "");
  EXPECT_EQ(TextOf(file, 0, 0).value(), "");
}

TEST(Read, AsksTheFileForInlineBytes) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 8, {InlineIn({0, 8})});
  EXPECT_EQ(TextOf(file, 2, 100).value(), "234567");
}

TEST(Read, ReadsTheDeviceThatTheMappingNames) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 4,
                   {MappedAt(0, {0, 2}), MappedAt(0, {2, 2}, MappingFlag::kNone, /*device=*/1)});
  EXPECT_EQ(TextOf(file, 0, 4).value(), "ABab");
}

TEST(Read, ReachesTheLastByteOfTheDeviceAndNotPastIt) {
  const DeviceSet devices = Letters();
  LettersFile fits(devices, 2, {MappedAt(24, {0, 2})});
  EXPECT_EQ(TextOf(fits, 0, 2).value(), "YZ");
  LettersFile too_long(devices, 3, {MappedAt(24, {0, 3})});
  EXPECT_THAT(TextOf(too_long, 0, 3),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("inode 14, offset 0: address 24")));
  LettersFile far_away(devices, 3, {MappedAt(uint64_t{1} << 62, {0, 3})});
  EXPECT_THAT(TextOf(far_away, 0, 3), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(Read, RefusesADeviceThatIsNotThere) {
  const DeviceSet devices = Letters();
  LettersFile file(devices, 3, {MappedAt(0, {0, 3}, MappingFlag::kNone, /*device=*/2)});
  EXPECT_THAT(TextOf(file, 0, 3), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("device 2")));
}

TEST(Read, RefusesEncodedBytesAndReservedSpace) {
  const DeviceSet devices = Letters();
  LettersFile encoded(devices, 3, {MappedAt(0, {0, 3}, MappingFlag::kEncoded)});
  EXPECT_THAT(TextOf(encoded, 0, 3), StatusIs(absl::StatusCode::kFailedPrecondition));
  LettersFile delayed(devices, 3, {DelallocIn({0, 3})});
  EXPECT_THAT(TextOf(delayed, 0, 3), StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace iomap::dax
