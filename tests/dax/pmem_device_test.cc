#include "dax/pmem_device.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "dax/file_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_directory.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

class WritableDevices : public testing::Test {
 protected:
  WritableDevices() : path_(directory_ / "image") {
    std::ofstream(path_, std::ios::binary) << std::string(kSize, 'x');
  }

  std::string Contents() const {
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  // Each way to store, at addresses of its own.
  void StoreAll(Device& device) {
    EXPECT_THAT(device.Write(10, Bytes(100, 'a')), IsOk());
    device.Flush({10, 100});
    EXPECT_THAT(device.WriteThrough(5000, Bytes(200, 'b')), IsOk());
    EXPECT_THAT(device.Zero({9000, 5000}), IsOk());
    EXPECT_THAT(device.Drain(), IsOk());
  }

  void ExpectAll(uint64_t offset) {
    std::string expected(kSize, 'x');
    expected.replace(offset + 10, 100, std::string(100, 'a'));
    expected.replace(offset + 5000, 200, std::string(200, 'b'));
    expected.replace(offset + 9000, 5000, std::string(5000, '\0'));
    EXPECT_EQ(Contents(), expected);
  }

  static constexpr uint64_t kSize = 40'000;

  const tests::TemporaryDirectory directory_ = *tests::TemporaryDirectory::Make();
  const std::string path_;
};

TEST_F(WritableDevices, PmemDeviceStoresToTheFile) {
  {
    const auto device = PmemDevice::Open(path_, 0);
    ASSERT_THAT(device, IsOk());
    const char* forced = std::getenv("PMEM_IS_PMEM_FORCE");
    const bool is_forced = forced != nullptr && std::string(forced) == "1";
    EXPECT_EQ((*device)->is_persistent_memory(), is_forced);
    EXPECT_THAT(std::string((*device)->flush()),
                is_forced
                    ? testing::MatchesRegex("(clwb|clflush|clflushopt) and sfence, by libpmem")
                    : testing::MatchesRegex("msync: not persistent memory"));
    StoreAll(**device);
    EXPECT_EQ((*device)->bytes()[10], std::byte{'a'});
  }
  ExpectAll(0);
}

TEST_F(WritableDevices, BeginAtAnOffset) {
  {
    const auto device = PmemDevice::Open(path_, 1234);
    ASSERT_THAT(device, IsOk());
    EXPECT_EQ((*device)->size(), kSize - 1234);
    StoreAll(**device);
  }
  ExpectAll(1234);
  EXPECT_THAT(PmemDevice::Open(path_, kSize + 1), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(WritableDevices, FileDeviceStoresToTheFileWhenItIsOpenedForWriting) {
  {
    const auto device = FileDevice::OpenReadWrite(path_, 77);
    ASSERT_THAT(device, IsOk());
    EXPECT_EQ((*device)->flush(), "msync");
    StoreAll(**device);
  }
  ExpectAll(77);
}

TEST_F(WritableDevices, SayWhatTheSystemSaysOfAFileThatIsNotThere) {
  EXPECT_THAT(PmemDevice::Open(path_ + "-not", 0),
              StatusIs(absl::StatusCode::kUnavailable, testing::HasSubstr("No such file")));
  EXPECT_THAT(FileDevice::OpenReadWrite(path_ + "-not", 0),
              StatusIs(absl::StatusCode::kUnavailable, testing::HasSubstr("No such file")));
}

}  // namespace
}  // namespace iomap::dax
