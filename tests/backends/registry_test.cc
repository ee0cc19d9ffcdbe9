#include "backends/registry.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::backends {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using tests::StatusIs;

dax::DeviceSet OneDevice(std::vector<std::byte> contents) {
  dax::DeviceSet devices;
  devices.push_back(std::make_unique<dax::MemoryDevice>(std::move(contents)));
  return devices;
}

// Two formats, told apart by the first byte, whose open says which of them was chosen and how.
template <char magic>
bool Recognises(const dax::Device& device) {
  return device.size() > 0 && device.bytes()[0] == std::byte{magic};
}

template <char magic>
// The table's type asks for a value. NOLINTNEXTLINE(performance-unnecessary-value-param)
absl::StatusOr<std::unique_ptr<dax::Filesystem>> Open(dax::DeviceSet devices,
                                                      const OpenOptions& options) {
  return absl::AlreadyExistsError(
      std::string(1, magic) + " opened " + std::to_string(devices.size()) + " device" +
      (options.dirty_journal == DirtyJournal::kIgnore ? ", journal ignored" : ""));
}

constexpr Backend kTwo[] = {{"alpha", &Recognises<'a'>, &Open<'a'>},
                            {"beta", &Recognises<'b'>, &Open<'b'>}};

constexpr absl::StatusCode kOpened = absl::StatusCode::kAlreadyExists;

TEST(Registry, FindsTheBackendByItsMagicNumber) {
  EXPECT_THAT(OpenFilesystem(kTwo, OneDevice({std::byte{'a'}}), "", {}),
              StatusIs(kOpened, "a opened 1 device"));
  EXPECT_THAT(OpenFilesystem(kTwo, OneDevice({std::byte{'b'}}), "", {}),
              StatusIs(kOpened, "b opened 1 device"));
}

TEST(Registry, TriesBackendsInTheOrderOfTheTable) {
  constexpr Backend kSameMagic[] = {{"first", &Recognises<'a'>, &Open<'1'>},
                                    {"second", &Recognises<'a'>, &Open<'2'>}};
  EXPECT_THAT(OpenFilesystem(kSameMagic, OneDevice({std::byte{'a'}}), "", {}),
              StatusIs(kOpened, HasSubstr("1 opened")));
}

TEST(Registry, ANameForcesABackendWhateverTheMagicNumberSays) {
  EXPECT_THAT(OpenFilesystem(kTwo, OneDevice({std::byte{'a'}}), "beta", {}),
              StatusIs(kOpened, HasSubstr("b opened")));
}

TEST(Registry, RefusesAnUnknownNameAndSaysWhichThereAre) {
  EXPECT_THAT(OpenFilesystem(kTwo, OneDevice({std::byte{'a'}}), "gamma", {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("gamma"), HasSubstr("alpha, beta"))));
}

TEST(Registry, WhatNobodyRecognisesIsDataLoss) {
  EXPECT_THAT(OpenFilesystem(kTwo, OneDevice({std::byte{'z'}}), "", {}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("alpha, beta")));
}

TEST(Registry, PassesTheOptionsOn) {
  EXPECT_THAT(OpenFilesystem(kTwo, OneDevice({std::byte{'a'}}), "",
                             {.dirty_journal = DirtyJournal::kIgnore}),
              StatusIs(kOpened, HasSubstr("journal ignored")));
}

TEST(BuiltInBackends, AreExt4AndXfs) {
  ASSERT_EQ(BuiltInBackends().size(), 2u);
  EXPECT_EQ(BuiltInBackends()[0].name, "ext4");
  EXPECT_EQ(BuiltInBackends()[1].name, "xfs");
}

TEST(BuiltInBackends, RecogniseNoDeviceThatIsEmptyShortOrZero) {
  for (const size_t size : {0, 1, 4, 1023, 1024, 1200, 1 << 20}) {
    EXPECT_THAT(OpenFilesystem(BuiltInBackends(), OneDevice(std::vector<std::byte>(size)), "", {}),
                StatusIs(absl::StatusCode::kDataLoss))
        << size;
  }
}

TEST(BuiltInBackends, OpenedByNameRefuseADeviceThatIsEmptyShortOrZero) {
  for (const Backend& backend : BuiltInBackends()) {
    for (const size_t size : {0, 1, 1024, 1 << 20}) {
      EXPECT_FALSE(OpenFilesystem(BuiltInBackends(), OneDevice(std::vector<std::byte>(size)),
                                  backend.name, {})
                       .ok())
          << backend.name << " " << size;
    }
  }
}

}  // namespace
}  // namespace iomap::backends
