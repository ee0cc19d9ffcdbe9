#include "backends/xfs/log.h"

#include <memory>
#include <vector>

#include "backends/crc32c.h"
#include "backends/xfs/format.h"
#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::HasSubstr;
using tests::IsOk;
using tests::StatusIs;
using tests::XfsImage;

// A log that each test writes record by record, all of it zeros at first.
class XfsLog : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<XfsImage> made = XfsImage::Make({});
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const Superblock& superblock = image_->superblock();
    address_ = superblock.AddressOfBlock(superblock.log_start);
    blocks_ = superblock.log_blocks * (superblock.block_size / kBasicBlockSize);
    std::fill_n(image_->bytes().begin() + static_cast<ptrdiff_t>(address_),
                size_t{blocks_} * kBasicBlockSize, std::byte{0});
  }

  uint64_t BlockAddress(uint64_t block) const {
    return address_ + (block % blocks_) * kBasicBlockSize;
  }

  struct Record {
    uint64_t block = 0;  // may pass the end: then the rest is at the beginning, in the next cycle
    uint32_t cycle = 1;
    uint32_t body_blocks = 1;
    uint32_t tail = 0;
    bool unmount = false;
  };

  // Writes a record with its checksum; returns the block behind it.
  uint64_t Put(const Record& record) {
    const uint64_t header = BlockAddress(record.block);
    const auto cycle_at = [&](uint64_t block) { return record.cycle + block / blocks_; };
    image_->Put(header, kLogRecordMagic, 4);
    image_->Put(header + offsetof(DiskLogRecordHeader, cycle), record.cycle, 4);
    image_->Put(header + offsetof(DiskLogRecordHeader, version), kLogVersion2, 4);
    image_->Put(header + offsetof(DiskLogRecordHeader, body_bytes),
                record.body_blocks * kBasicBlockSize, 4);
    image_->Put(header + offsetof(DiskLogRecordHeader, tail_lsn),
                uint64_t{record.cycle} << 32 | record.tail, 8);
    image_->Put(header + offsetof(DiskLogRecordHeader, operation_count), 1, 4);
    for (size_t i = 0; i < sizeof(Uuid); ++i) {
      image_->Put(header + offsetof(DiskLogRecordHeader, uuid) + i, image_->superblock().uuid[i],
                  1);
    }
    for (uint32_t i = 1; i <= record.body_blocks; ++i) {
      image_->Put(BlockAddress(record.block + i), cycle_at(record.block + i), 4);
    }
    image_->Put(BlockAddress(record.block + 1) + offsetof(DiskLogOperation, flags),
                record.unmount ? kLogUnmountFlag : 1, 1);
    PutChecksum(record);
    return record.block + 1 + record.body_blocks;
  }

  void PutChecksum(const Record& record) {
    constexpr size_t kCrc = offsetof(DiskLogRecordHeader, crc);
    const auto view = [&](uint64_t block, size_t begin, size_t size) {
      return absl::Span<const std::byte>(image_->bytes())
          .subspan(BlockAddress(block) + begin, size);
    };
    uint32_t crc = backends::ExtendCrc32c(~uint32_t{0}, view(record.block, 0, kCrc));
    crc = backends::ExtendCrc32cByZeros(crc, 4);
    crc = backends::ExtendCrc32c(crc, view(record.block, kCrc + 4, 328 - kCrc - 4));
    for (uint32_t i = 1; i <= record.body_blocks; ++i) {
      crc = backends::ExtendCrc32c(crc, view(record.block + i, 0, kBasicBlockSize));
    }
    image_->Put(BlockAddress(record.block) + kCrc, __builtin_bswap32(~crc), 4);
  }

  // Fills the whole log with records of cycle `cycle`, each its own tail.
  void FillCycle(uint32_t cycle) {
    for (uint64_t block = 0; block < blocks_; block += 8) {
      Put({.block = block, .cycle = cycle, .body_blocks = 7, .tail = uint32_t(block)});
    }
  }

  absl::StatusOr<Log::State> State() const {
    Volume volume;
    volume.superblock = image_->superblock();
    volume.devices.push_back(std::make_unique<dax::MemoryDevice>(image_->contents()));
    IOMAP_ASSIGN_OR_RETURN(const Log log, Log::Open(volume));
    return log.FindState();
  }

  void ExpectState(bool clean, uint64_t head, uint64_t tail) const {
    const auto state = State();
    ASSERT_THAT(state, IsOk());
    EXPECT_EQ(state->clean, clean);
    EXPECT_EQ(state->head, head);
    EXPECT_EQ(state->tail, tail);
  }

  std::unique_ptr<XfsImage> image_;
  uint64_t address_ = 0;
  uint32_t blocks_ = 0;
};

TEST_F(XfsLog, IsCleanWhenItWasNeverWritten) { ExpectState(true, 0, 0); }

TEST_F(XfsLog, IsCleanWhenItsLastRecordIsOfAnUnmount) {
  const uint64_t next = Put({.body_blocks = 3});
  const uint64_t head = Put({.block = next, .tail = uint32_t(next), .unmount = true});
  ExpectState(true, head, head);
}

TEST_F(XfsLog, IsDirtyWhenARecordFollowsTheUnmount) {
  const uint64_t next = Put({.unmount = true});
  const uint64_t head = Put({.block = next, .body_blocks = 5, .tail = uint32_t(next)});
  ExpectState(false, head, next);
}

TEST_F(XfsLog, DropsTornRecordsAtTheHead) {
  const uint64_t next = Put({.unmount = true});
  const uint64_t torn = next;
  const uint64_t behind = Put({.block = torn, .body_blocks = 5, .tail = uint32_t(torn)});
  Put({.block = behind, .body_blocks = 2, .tail = uint32_t(torn)});
  image_->Flip(BlockAddress(torn + 3) + 100);
  ExpectState(true, torn, torn);
}

TEST_F(XfsLog, DropsARecordWhoseEndNeverArrived) {
  const uint64_t first = Put({.body_blocks = 3});
  const uint64_t end = Put({.block = first, .body_blocks = 6});
  image_->Put(BlockAddress(end - 1), 0, 4);
  ExpectState(false, first, 0);
}

TEST_F(XfsLog, FindsTheHeadWhereTheCycleChanges) {
  FillCycle(7);
  uint64_t head = 0;
  for (int i = 0; i < 5; ++i) {
    head = Put({.block = head, .cycle = 8, .body_blocks = 7, .tail = 8});
  }
  ExpectState(false, head, 8);
}

TEST_F(XfsLog, FindsTheHeadAtTheEndOfACycle) {
  FillCycle(7);
  ExpectState(false, 0, blocks_ - 8);
}

TEST_F(XfsLog, FollowsARecordAroundTheEnd) {
  FillCycle(7);
  const uint64_t block = blocks_ - 8;
  const uint64_t head =
      Put({.block = block, .cycle = 7, .body_blocks = 15, .tail = uint32_t(block)});
  ExpectState(false, head - blocks_, block);
}

TEST_F(XfsLog, EndsAtAHoleOfTheOlderCycle) {
  FillCycle(7);
  for (uint64_t block = 0; block < 80; block += 8) {
    Put({.block = block, .cycle = 8, .body_blocks = 7, .tail = 0});
  }
  Put({.block = 40, .cycle = 7, .body_blocks = 7, .tail = 40});
  ExpectState(false, 40, 0);
}

TEST_F(XfsLog, RefusesALogOfAnotherFileSystem) {
  Put({.body_blocks = 3});
  image_->Flip(address_ + offsetof(DiskLogRecordHeader, uuid));
  EXPECT_THAT(State(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("another file system")));
}

TEST_F(XfsLog, RefusesALogWithoutARecord) {
  image_->Put(address_, 1, 4);
  EXPECT_THAT(State(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no record")));
}

TEST_F(XfsLog, RefusesATailPastTheLog) {
  Put({.body_blocks = 3, .tail = 0x7FFFFFFF});
  EXPECT_THAT(State(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("its tail")));
}

}  // namespace
}  // namespace iomap::xfs
