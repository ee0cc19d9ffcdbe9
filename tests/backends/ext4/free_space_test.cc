#include "backends/ext4/free_space.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/ext4/journal_writer.h"
#include "backends/ext4/superblock_change.h"
#include "dax/file_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/support/command.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_directory.h"

namespace iomap::ext4 {
namespace {

using backends::Handle;
using backends::TransactionEngine;
using testing::HasSubstr;
using tests::IsOk;
using tests::OutputOf;
using tests::StatusIs;

// How an image is made: its name, mke2fs's options.
struct Layout {
  std::string name;
  tests::Arguments options;
};

// Blocks given out and taken back on an image of mke2fs's, for e2fsck to judge.
class Ext4FreeSpace : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    IOMAP_SKIP_IF(tests::WhyNoProgram("e2fsck"));
    folder_ =
        std::make_unique<tests::TemporaryDirectory>(tests::TemporaryDirectory::Make().value());
    image_ = *folder_ / "image";
    tests::Arguments mkfs = {"mkfs.ext4", "-q", "-F", "-J", "size=4"};
    mkfs.insert(mkfs.end(), GetParam().options.begin(), GetParam().options.end());
    mkfs.insert(mkfs.end(), {image_, "160M"});
    ASSERT_THAT(OutputOf(mkfs), IsOk());
    Open(/*kept_free=*/0);
  }

  void Open(uint64_t kept_free) {
    space_ = nullptr;
    engine_ = nullptr;
    writer_ = nullptr;
    dax::DeviceSet devices;
    devices.push_back(dax::FileDevice::OpenReadWrite(image_, 0).value());
    volume_ = Volume::Open(std::move(devices)).value();
    writer_ = JournalWriter::Open(*volume_, JournalWriter::Checksums::kDrop).value();
    engine_ =
        std::make_unique<TransactionEngine>(volume_->device(), *writer_, writer_->first_sequence(),
                                            [](absl::Span<const backends::MutableBufferImage>) {});
    space_ = FreeSpace::Open(*volume_, *engine_, kept_free).value();
  }

  // Everything in place, the superblock's count right, the journal empty.
  void Close() {
    ASSERT_THAT(engine_->Checkpoint(), IsOk());
    ASSERT_THAT(writer_->MarkEmpty(writer_->first_sequence() + engine_->counts().commits), IsOk());
    const uint64_t free = CountFree(*volume_).value().blocks;
    ASSERT_THAT(ChangeSuperblock(*volume_,
                                 [&](DiskSuperblock& superblock) {
                                   superblock.free_blocks_lo.set(static_cast<uint32_t>(free));
                                   superblock.free_blocks_hi.set(static_cast<uint32_t>(free >> 32));
                                 }),
                IsOk());
  }

  absl::Status Allocate(const BlockRun& run) {
    IOMAP_ASSIGN_OR_RETURN(Handle handle, engine_->Begin(space_->CreditsOfRun()));
    return space_->Allocate(handle, run);
  }
  absl::Status Free(const BlockRun& run) {
    IOMAP_ASSIGN_OR_RETURN(Handle handle, engine_->Begin(space_->CreditsOfRun()));
    return space_->Free(handle, run);
  }

  std::unique_ptr<tests::TemporaryDirectory> folder_;
  std::string image_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<TransactionEngine> engine_;
  std::unique_ptr<FreeSpace> space_;
};

// Takes all there is, in runs of any length, gives some back, takes again; all is given back at the
// end: every bitmap, checksum and count is then what e2fsck computes.
TEST_P(Ext4FreeSpace, AllBlocksCanBeTakenOnceAndGivenBack) {
  SCOPED_TRACE(tests::RerunLine());
  const uint64_t all = space_->available();
  EXPECT_EQ(all, volume_->superblock().free_block_count);
  std::mt19937_64 random(3);
  std::map<uint64_t, uint64_t> held;  // start -> end
  uint64_t held_blocks = 0;
  for (int round = 0; round < 3; ++round) {
    while (space_->available() > 0) {
      const uint64_t goal = random() % volume_->superblock().block_count;
      const absl::StatusOr<BlockRun> run = space_->Reserve(goal, 1 + random() % 9000);
      ASSERT_THAT(run, IsOk());
      const auto next = held.lower_bound(run->start);
      ASSERT_TRUE(next == held.end() || next->first >= run->end());
      ASSERT_TRUE(next == held.begin() || std::prev(next)->second <= run->start);
      if (random() % 8 == 0) {
        space_->Unreserve(*run);
        continue;
      }
      ASSERT_THAT(Allocate(*run), IsOk());
      held[run->start] = run->end();
      held_blocks += run->length;
    }
    EXPECT_EQ(held_blocks, all);
    EXPECT_THAT(space_->Reserve(0, 1), StatusIs(absl::StatusCode::kResourceExhausted));
    for (auto one = held.begin(); one != held.end();) {
      if (round < 2 && random() % 2 == 0) {
        ++one;
        continue;
      }
      ASSERT_THAT(Free({one->first, one->second - one->first}), IsOk());
      held_blocks -= one->second - one->first;
      one = held.erase(one);
    }
    ASSERT_THAT(engine_->CommitAll(), IsOk());
    EXPECT_EQ(space_->available(), all - held_blocks);
  }
  Close();
  const auto check = tests::RunCommand({"e2fsck", "-fn", image_});
  ASSERT_THAT(check, IsOk());
  EXPECT_EQ(check->exit_status, 0) << check->output << check->errors;
}

TEST_P(Ext4FreeSpace, WhatIsFreedIsGivenOutOnceThatIsDurable) {
  const BlockRun run = space_->Reserve(5000, 10).value();
  ASSERT_THAT(Allocate(run), IsOk());
  ASSERT_THAT(engine_->CommitAll(), IsOk());
  const uint64_t before = space_->available();
  ASSERT_THAT(Free(run), IsOk());
  EXPECT_EQ(space_->available(), before);
  EXPECT_NE(space_->Reserve(run.start, 1).value().start, run.start);
  ASSERT_THAT(engine_->CommitAll(), IsOk());
  EXPECT_EQ(space_->Reserve(run.start, 1).value().start, run.start);
}

TEST_P(Ext4FreeSpace, AGoalThatIsFreeIsTaken) {
  const BlockRun first = space_->Reserve(9000, 100).value();
  EXPECT_EQ(first.length, 100u);
  const BlockRun next = space_->Reserve(first.end(), 50).value();
  EXPECT_EQ(next.start, first.end());
  EXPECT_EQ(space_->Reserve(first.start, 20).value().length, 20u);
}

TEST_P(Ext4FreeSpace, BlocksThatAreReservedForRootAreKept) {
  const uint64_t all = space_->available();
  Close();
  Open(/*kept_free=*/all - 5);
  EXPECT_EQ(space_->available(), 5u);
  EXPECT_EQ(space_->Reserve(0, 100).value().length, 5u);
  EXPECT_THAT(space_->Reserve(0, 1),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("are reserved")));
}

TEST_P(Ext4FreeSpace, WhatTheMediumContradictsIsDamageAndChangesNothing) {
  const BlockRun run = space_->Reserve(5000, 10).value();
  EXPECT_THAT(Free(run), StatusIs(absl::StatusCode::kDataLoss));
  ASSERT_THAT(Allocate(run), IsOk());
  EXPECT_THAT(Allocate({run.start + 3, 2}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is so already in the bitmap")));
  const uint64_t table = ReadGroup(*volume_, 0).value().inode_table_block;
  EXPECT_THAT(Free({table + 1, 1}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the file system's own")));
  ASSERT_THAT(Free(run), IsOk());
  Close();
  EXPECT_THAT(OutputOf({"e2fsck", "-fn", image_}), IsOk());
}

TEST_P(Ext4FreeSpace, ThreadsGetDifferentBlocks) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int i = 0; i < 200; ++i) {
        const absl::StatusOr<BlockRun> run = space_->Reserve(random() % 20000, 1 + random() % 60);
        ASSERT_THAT(run, IsOk());
        ASSERT_THAT(Allocate(*run), IsOk());  // or the bitmap says that another has it
        if (i % 2 == 0) {
          ASSERT_THAT(Free(*run), IsOk());
        }
        if (i % 10 == 0) {
          ASSERT_THAT(engine_->CommitAll(), IsOk());
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, Ext4FreeSpace,
    testing::Values(Layout{"Default", {}}, Layout{"SmallBlocks", {"-b", "1024"}},
                    Layout{"MediumBlocks", {"-b", "2048", "-O", "^64bit"}},
                    Layout{"NoChecksums", {"-b", "1024", "-O", "^metadata_csum,uninit_bg"}},
                    Layout{"NoGroupChecksums", {"-b", "1024", "-O", "^metadata_csum,^uninit_bg"}},
                    Layout{"NoFlexGroups", {"-b", "1024", "-O", "^flex_bg"}},
                    Layout{"TwoBackups", {"-b", "1024", "-O", "sparse_super2,^resize_inode"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace iomap::ext4
