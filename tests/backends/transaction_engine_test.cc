#include "backends/transaction_engine.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/memory_device.h"
#include "dax/recording_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::backends {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::IsOk;
using tests::StatusIs;

constexpr uint32_t kLength = 512;

Buffer At(uint64_t index) { return Buffer{index * kLength, kLength, 0}; }

// A log that keeps no bytes: it says what it is asked to do, and fails a test that overfills it. A
// buffer takes 1 of it, and so do what is freed and a commit record.
class ListedLog : public LogFormat {
 public:
  explicit ListedLog(uint64_t size) : size_(size) {}

  uint64_t size() const override { return size_; }
  uint64_t SpaceFor(const Credits& credits) const override {
    return credits.buffers + credits.cancelled + 1;
  }

  absl::Status WriteBody(Sequence sequence, absl::Span<const BufferImage> images,
                         absl::Span<const Buffer> cancelled) override {
    std::string line = absl::StrCat("body ", sequence, ":");
    for (const BufferImage& image : images) {
      absl::StrAppend(&line, " ", image.buffer.address / kLength, "=",
                      static_cast<int>(image.bytes.front()));
    }
    for (const Buffer& buffer : cancelled) {
      absl::StrAppend(&line, " -", buffer.address / kLength);
    }
    Add(line);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      held_.emplace_back(sequence, images.size() + cancelled.size() + 1);
      uint64_t sum = 0;
      for (const auto& [number, space] : held_) {
        sum += space;
      }
      EXPECT_LE(sum, size_);
    }
    in_body();
    return absl::OkStatus();
  }
  absl::Status WriteCommitRecord(Sequence sequence) override {
    Add(absl::StrCat("commit ", sequence));
    return absl::OkStatus();
  }
  absl::Status MoveTail(Sequence oldest) override {
    Add(absl::StrCat("tail ", oldest));
    in_move_tail();
    const std::lock_guard<std::mutex> lock(mutex_);
    held_.erase(std::remove_if(held_.begin(), held_.end(),
                               [&](const auto& one) { return one.first < oldest; }),
                held_.end());
    return absl::OkStatus();
  }

  std::vector<std::string> lines() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return lines_;
  }

  std::function<void()> in_body = [] {};
  std::function<void()> in_move_tail = [] {};

 private:
  void Add(std::string line) {
    const std::lock_guard<std::mutex> lock(mutex_);
    lines_.push_back(std::move(line));
  }

  const uint64_t size_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::pair<Sequence, uint64_t>> held_;
};

class TransactionEngineTest : public testing::Test {
 protected:
  void SetUp() override { Begin(400); }

  void Begin(uint64_t log_size) {
    engine_ = nullptr;
    device_ = std::make_unique<dax::RecordingDevice>(
        std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(1000 * kLength)));
    log_ = std::make_unique<ListedLog>(log_size);
    engine_ = std::make_unique<TransactionEngine>(
        *device_, *log_, 7, [this](absl::Span<const MutableBufferImage> images) {
          sealed_ += images.size();
          for (const MutableBufferImage& image : images) {
            image.bytes.back() = std::byte{0x5E};
          }
        });
  }

  // Sets the first byte of buffers in one handle.
  Sequence Change(const std::vector<std::pair<uint64_t, int>>& changes) {
    Handle handle = engine_->Begin(Credits::Of(changes.size(), kLength)).value();
    for (const auto& [index, value] : changes) {
      handle.Edit(At(index)).value()[0] = static_cast<std::byte>(value);
    }
    return handle.sequence();
  }

  int Seen(uint64_t index) {
    return static_cast<int>(engine_->Read(At(index)).value().bytes().front());
  }
  int OnMedium(uint64_t index) { return static_cast<int>(device_->bytes()[index * kLength]); }

  std::unique_ptr<dax::RecordingDevice> device_;
  std::unique_ptr<ListedLog> log_;
  std::atomic<uint64_t> sealed_ = 0;
  std::unique_ptr<TransactionEngine> engine_;
};

TEST_F(TransactionEngineTest, ReadersSeeAChangeAtOnceAndTheMediumAfterACheckpoint) {
  const Sequence sequence = Change({{3, 1}, {5, 2}});
  EXPECT_EQ(Seen(3), 1);
  EXPECT_EQ(OnMedium(3), 0);
  EXPECT_THAT(log_->lines(), IsEmpty());
  ASSERT_THAT(engine_->CommitUpTo(sequence), IsOk());
  EXPECT_THAT(log_->lines(), ElementsAre("body 7: 3=1 5=2", "commit 7"));
  EXPECT_EQ(OnMedium(3), 0);
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  EXPECT_EQ(OnMedium(3), 1);
  EXPECT_EQ(OnMedium(5), 2);
  EXPECT_EQ(Seen(5), 2);
  EXPECT_EQ(log_->lines().back(), "tail 8");
  EXPECT_EQ(device_->bytes()[4 * kLength - 1], std::byte{0x5E}) << "not sealed";
}

TEST_F(TransactionEngineTest, ABufferIsDrainedBeforeItsCommitRecordAndThatBeforeOkReturns) {
  std::vector<size_t> drains;
  const auto count = [&] {
    drains.push_back(std::count_if(device_->trace().begin(), device_->trace().end(),
                                   [](const dax::DeviceEvent& event) {
                                     return event.kind == dax::DeviceEvent::Kind::kDrain;
                                   }));
  };
  log_->in_body = count;
  ASSERT_THAT(engine_->CommitUpTo(Change({{1, 1}})), IsOk());
  count();
  log_->in_move_tail = count;
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  count();
  EXPECT_THAT(drains, ElementsAre(0, 2, 3, 4));
}

TEST_F(TransactionEngineTest, ACommitOfWhatIsDurableDoesNothing) {
  const Sequence sequence = Change({{3, 1}});
  ASSERT_THAT(engine_->CommitUpTo(sequence), IsOk());
  const size_t lines = log_->lines().size();
  ASSERT_THAT(engine_->CommitUpTo(sequence), IsOk());
  ASSERT_THAT(engine_->CommitAll(), IsOk());
  EXPECT_EQ(log_->lines().size(), lines);
}

TEST_F(TransactionEngineTest, AHandleThatChangesNothingIsNoTransaction) {
  Sequence sequence = 0;
  {
    const Handle handle = engine_->Begin(Credits::Of(5, kLength)).value();
    sequence = handle.sequence();
  }
  ASSERT_THAT(engine_->CommitUpTo(sequence), IsOk());
  EXPECT_THAT(log_->lines(), IsEmpty());
  EXPECT_EQ(Change({{1, 1}}), sequence);
}

TEST_F(TransactionEngineTest, TheNextTransactionChangesACopyOfWhatIsBeingCommitted) {
  Change({{3, 1}, {4, 1}});
  log_->in_body = [this, is_first = true]() mutable {
    if (std::exchange(is_first, false)) {
      std::thread([this] { Change({{3, 2}}); }).join();
    }
  };
  ASSERT_THAT(engine_->CommitUpTo(7), IsOk());
  EXPECT_EQ(Seen(3), 2);
  ASSERT_THAT(engine_->CommitUpTo(8), IsOk());
  EXPECT_THAT(log_->lines(), ElementsAre("body 7: 3=1 4=1", "commit 7", "body 8: 3=2", "commit 8"));
  EXPECT_EQ(sealed_, 3u);
}

TEST_F(TransactionEngineTest, AViewOutlivesTheCheckpointOfItsImage) {
  Change({{3, 1}});
  const BufferView view = engine_->Read(At(3)).value();
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  ASSERT_THAT(engine_->CommitUpTo(Change({{3, 2}})), IsOk());
  EXPECT_EQ(view.bytes().front(), std::byte{1});
}

TEST_F(TransactionEngineTest, ACreatedBufferIsZerosWhateverWasThere) {
  ASSERT_THAT(device_->Write(3 * kLength, std::vector<std::byte>(kLength, std::byte{9})), IsOk());
  {
    Handle handle = engine_->Begin(Credits::Of(1, kLength)).value();
    handle.Create(At(3))[1] = std::byte{1};
  }
  EXPECT_EQ(Seen(3), 0);
}

TEST_F(TransactionEngineTest, WhatIsFreedIsNotPutInPlaceAndGivenAwayOnlyWhenDurable) {
  ASSERT_THAT(engine_->CommitUpTo(Change({{3, 1}, {4, 1}})), IsOk());
  bool given_away = false;
  {
    Handle handle = engine_->Begin(Credits{2, 2 * kLength, 1}).value();
    handle.Edit(At(3)).value()[0] = std::byte{2};
    handle.Edit(At(5)).value()[0] = std::byte{2};
    handle.Free(At(3));
    handle.WhenDurable([&] { given_away = true; });
  }
  EXPECT_FALSE(given_away);
  ASSERT_THAT(engine_->CommitUpTo(8), IsOk());
  EXPECT_TRUE(given_away);
  EXPECT_EQ(log_->lines()[2], "body 8: 5=2 -3");
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  EXPECT_EQ(OnMedium(3), 0);
  EXPECT_EQ(OnMedium(4), 1);
  EXPECT_EQ(Seen(3), 0);
}

TEST_F(TransactionEngineTest, WhatIsFreedIsNotChangedAgainInTheSameTransaction) {
  Handle handle = engine_->Begin(Credits{2, 2 * kLength, 1}).value();
  handle.Edit(At(3)).value()[0] = std::byte{2};
  handle.Free(At(3));
  EXPECT_DEATH(handle.Edit(At(3)).status().IgnoreError(), "cancelled");
  EXPECT_DEATH(handle.Create(At(3)), "cancelled");
}

TEST_F(TransactionEngineTest, WhatIsBeingPutInPlaceIsNotGivenAway) {
  ASSERT_THAT(engine_->CommitUpTo(Change({{3, 1}})), IsOk());
  std::atomic<bool> given_away = false;
  std::thread freeing;
  log_->in_move_tail = [&] {
    freeing = std::thread([&] {
      {
        Handle handle = engine_->Begin(Credits{0, 0, 1}).value();
        handle.Free(At(3));
        handle.WhenDurable([&] { given_away = true; });
      }
      EXPECT_THAT(engine_->CommitUpTo(8), IsOk());
    });
    while (log_->lines().back() != "commit 8") {
      std::this_thread::yield();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(given_away);
  };
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  freeing.join();
  EXPECT_TRUE(given_away);
}

TEST_F(TransactionEngineTest, ALargeTransactionIsCommittedForTheNextHandle) {
  for (uint64_t i = 0; i < 30; ++i) {  // 30 of 10 in transactions of 99 at most
    std::vector<std::pair<uint64_t, int>> changes;
    for (uint64_t k = 0; k < 10; ++k) {
      changes.emplace_back(10 * i + k, 1);
    }
    Change(changes);
  }
  EXPECT_EQ(engine_->counts().commits, 3u);
}

TEST_F(TransactionEngineTest, ManyCommitsShareACheckpoint) {
  for (int i = 0; i < 2000; ++i) {
    ASSERT_THAT(engine_->CommitUpTo(Change({{i % 50u, i % 100}, {60, 1}})), IsOk());
  }
  const TransactionEngine::Counts counts = engine_->counts();
  EXPECT_EQ(counts.commits, 2000u);
  EXPECT_GE(counts.checkpoints, 2000u * 3 / 400);
  EXPECT_GE(counts.commits, 10 * counts.checkpoints);
  EXPECT_LT(counts.buffers_in_place, counts.logged_buffers / 2);
}

TEST_F(TransactionEngineTest, AHandleGrowsAsFarAsATransactionMay) {
  Handle handle = engine_->Begin(Credits::Of(10, kLength)).value();
  EXPECT_TRUE(handle.Extend(Credits::Of(80, kLength)));
  EXPECT_FALSE(handle.Extend(Credits::Of(10, kLength)));
  for (uint64_t i = 0; i < 90; ++i) {
    EXPECT_THAT(handle.Edit(At(i)), IsOk());
  }
}

TEST_F(TransactionEngineTest, MoreThanATransactionMayTakeIsRefusedInWords) {
  EXPECT_THAT(engine_->Begin(Credits::Of(100, kLength)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("100 buffers and 0 freed ones takes 101 of the log")));
}

TEST_F(TransactionEngineTest, ABufferPastTheDeviceIsDamage) {
  Handle handle = engine_->Begin(Credits::Of(1, kLength)).value();
  EXPECT_THAT(handle.Edit(At(1000)), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(TransactionEngineTest, ACommitThatFailsMakesItReadOnly) {
  const Sequence first = Change({{3, 1}});
  device_->FailNextDrain(absl::UnavailableError("the medium is gone"));
  const auto fails = StatusIs(
      absl::StatusCode::kUnavailable,
      HasSubstr("transaction 7 could not be committed, the file system is read-only: the medium"));
  EXPECT_THAT(engine_->CommitUpTo(first), fails);
  EXPECT_THAT(engine_->CommitUpTo(first), fails);
  EXPECT_THAT(engine_->Begin(Credits::Of(1, kLength)), fails);
  EXPECT_THAT(engine_->Checkpoint(), fails);
  EXPECT_EQ(Seen(3), 1);
  EXPECT_EQ(OnMedium(3), 0);
}

TEST_F(TransactionEngineTest, ACheckpointThatFailsMakesItReadOnlyAndKeepsTheLog) {
  ASSERT_THAT(engine_->CommitUpTo(Change({{3, 1}})), IsOk());
  device_->FailNextDrain(absl::UnavailableError("the medium is gone"));
  EXPECT_THAT(engine_->Checkpoint(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("could not be put in place")));
  EXPECT_THAT(log_->lines(), ElementsAre("body 7: 3=1", "commit 7"));
  EXPECT_FALSE(engine_->failure().ok());
  EXPECT_THAT(engine_->CommitUpTo(7), IsOk());  // it is durable
  EXPECT_FALSE(engine_->Begin(Credits::Of(1, kLength)).ok());
}

// Each thread counts in a buffer of its own and in one of all, under a lock as a file system's.
TEST_F(TransactionEngineTest, ThreadsShareCommitsAndLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 300;
  Begin(80);
  std::mutex of_all;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        Sequence sequence = 0;
        {
          Handle handle = engine_->Begin(Credits::Of(3, kLength, 1)).value();
          const uint64_t own = 1 + static_cast<uint64_t>(t);
          auto* counter = reinterpret_cast<uint32_t*>(handle.Edit(At(own)).value().data());
          ++*counter;
          handle.Edit(At(100 + own + 10 * (static_cast<uint64_t>(i) % 20))).value()[0] =
              std::byte{1};
          const std::lock_guard<std::mutex> lock(of_all);
          ++*reinterpret_cast<uint32_t*>(handle.Edit(At(0)).value().data());
          sequence = handle.sequence();
        }
        if (i % 3 == 0) {
          EXPECT_THAT(engine_->CommitUpTo(sequence), IsOk());
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  const auto counter_at = [&](uint64_t index) {
    return *reinterpret_cast<const uint32_t*>(device_->bytes().data() + index * kLength);
  };
  EXPECT_EQ(counter_at(0), static_cast<uint32_t>(kThreads * kRounds));
  for (uint64_t t = 1; t <= kThreads; ++t) {
    EXPECT_EQ(counter_at(t), static_cast<uint32_t>(kRounds));
  }
  EXPECT_LE(engine_->counts().commits, static_cast<uint64_t>(kThreads * kRounds));
}

}  // namespace
}  // namespace iomap::backends
