#include "dax/recording_device.h"

#include <cstring>
#include <memory>
#include <vector>

#include "dax/memory_device.h"
#include "dax/pmem_namespace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/bytes.h"
#include "tests/support/status_matchers.h"

namespace iomap::dax {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;
using ::testing::ElementsAre;
using Kind = DeviceEvent::Kind;

std::unique_ptr<RecordingDevice> MakeDevice() {
  return std::make_unique<RecordingDevice>(
      std::make_unique<MemoryDevice>(std::vector<std::byte>(4 * 4096)));
}

bool IsGuaranteed(const RecordingDevice& device, const ByteRange& range, int value) {
  for (uint64_t address = range.offset; address < range.end(); address += 8) {
    uint64_t expected;
    std::memset(&expected, value, sizeof expected);
    if (device.now().PossibleWords(address) != std::vector<uint64_t>{expected}) {
      return false;
    }
  }
  return true;
}

TEST(RecordingDevice, CutsStoresAtLinesAndKeepsTheirOrder) {
  const auto device = MakeDevice();
  ASSERT_THAT(device->Write(60, Bytes(8, 1)), IsOk());
  device->Flush({60, 8});
  ASSERT_THAT(device->Drain(), IsOk());
  std::vector<Kind> kinds;
  for (const DeviceEvent& event : device->trace()) {
    kinds.push_back(event.kind);
  }
  EXPECT_THAT(kinds, ElementsAre(Kind::kStore, Kind::kStore, Kind::kFlush, Kind::kDrain));
  EXPECT_EQ(device->trace()[0].range, (ByteRange{60, 4}));
  EXPECT_EQ(device->trace()[1].range, (ByteRange{64, 4}));
  EXPECT_EQ(device->bytes()[67], std::byte{1});
}

TEST(RecordingDevice, TellsWhatTheMediumMayHoldAtAnyMomentOfTheTrace) {
  const auto device = MakeDevice();
  ASSERT_THAT(device->Write(0, Bytes(8, 1)), IsOk());
  ASSERT_THAT(device->Persist({0, 8}), IsOk());
  ASSERT_THAT(device->Write(0, Bytes(8, 2)), IsOk());
  EXPECT_EQ(device->now().PossibleWords(0).size(), 2);
  EXPECT_EQ(device->After(3, {}).PossibleWords(0).size(), 1);
  EXPECT_EQ(device->After(1, {}).PossibleWords(0).size(), 2);
}

TEST(RecordingDevice, RecordsViewsWhenItIsToldTo) {
  const auto device = MakeDevice();
  ASSERT_THAT(device->View({0, 64}), IsOk());
  EXPECT_TRUE(device->trace().empty());
  device->set_records_views(true);
  ASSERT_THAT(device->View({0, 64}), IsOk());
  ASSERT_EQ(device->trace().size(), 1);
  EXPECT_EQ(device->trace()[0].kind, Kind::kView);
}

TEST(RecordingDevice, FailsOneDrainWhenItIsToldTo) {
  const auto device = MakeDevice();
  ASSERT_THAT(device->Write(0, Bytes(8, 1)), IsOk());
  device->FailNextDrain(absl::UnavailableError("gone"));
  EXPECT_THAT(device->Persist({0, 8}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(device->now().PossibleWords(0).size(), 2);
  EXPECT_THAT(device->Drain(), IsOk());
}

TEST(RecordingDevice, RecordsLockedOperationsForWhoCountsThemAsFences) {
  const auto device = MakeDevice();
  ASSERT_THAT(device->Write(0, Bytes(8, 1)), IsOk());
  device->Flush({0, 8});
  device->RecordLockedOperation();
  EXPECT_EQ(device->now().PossibleWords(0).size(), 2);
  EXPECT_EQ(device->After(3, {.locked_operations_fence = true}).PossibleWords(0).size(), 1);
}

TEST(RecordingDevice, RefusesWhatLiesPastItsEnd) {
  const auto device = MakeDevice();
  EXPECT_THAT(device->Write(4 * 4096 - 4, Bytes(8, 1)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(device->Zero({4 * 4096, 1}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(device->trace().empty());
}

TEST(PmemNamespace, MakesEachRequestDurableUnlessItIgnoresFlushes) {
  for (const PmemNamespace::FlushMode mode :
       {PmemNamespace::FlushMode::kTrailingDrain, PmemNamespace::FlushMode::kBigHammer,
        PmemNamespace::FlushMode::kNothing}) {
    const auto device = MakeDevice();
    PmemNamespace pmem(*device, mode);
    const bool drains = mode != PmemNamespace::FlushMode::kNothing;
    ASSERT_THAT(pmem.RwBytes(0, Bytes(64, 1)), IsOk());
    EXPECT_EQ(IsGuaranteed(*device, {0, 64}, 1), drains);
    ASSERT_THAT(pmem.RwPage(1, Bytes(4096, 2)), IsOk());
    EXPECT_EQ(IsGuaranteed(*device, {4096, 4096}, 2), drains);
    ASSERT_THAT(pmem.MakeRequest(128, Bytes(64, 3)), IsOk());
    EXPECT_EQ(IsGuaranteed(*device, {128, 64}, 3), drains);
  }
}

TEST(PmemNamespace, MakesOneRequestDurableWithFuaWhereOthersWaitForAFlush) {
  const auto device = MakeDevice();
  PmemNamespace pmem(*device, PmemNamespace::FlushMode::kTrailingDrain,
                     PmemNamespace::RequestDrain::kFuaOnly);
  ASSERT_THAT(pmem.MakeRequest(0, Bytes(64, 1), PmemNamespace::Fua::kNo), IsOk());
  EXPECT_FALSE(IsGuaranteed(*device, {0, 64}, 1));
  ASSERT_THAT(pmem.Flush(), IsOk());
  EXPECT_TRUE(IsGuaranteed(*device, {0, 64}, 1));
  ASSERT_THAT(pmem.MakeRequest(64, Bytes(64, 2), PmemNamespace::Fua::kYes), IsOk());
  EXPECT_TRUE(IsGuaranteed(*device, {64, 64}, 2));
}

}  // namespace
}  // namespace iomap::dax
