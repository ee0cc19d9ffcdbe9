#include "iomap/mutex.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace iomap {
namespace {

TEST(Mutex, IsHeldByOneThreadAtATime) {
  Mutex mutex(LockRank::kLeaf);
  int count = 0;
  const auto add = [&] {
    for (int i = 0; i < 10'000; ++i) {
      const MutexLock lock(mutex);
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(count, 20'000);
}

TEST(CondVar, WakesWhoWaits) {
  Mutex mutex(LockRank::kLeaf);
  CondVar condition;
  bool ready = false;
  std::thread other([&] {
    const MutexLock lock(mutex);
    ready = true;
    condition.NotifyAll();
  });
  {
    const MutexLock lock(mutex);
    while (!ready) {
      condition.Wait(mutex);
    }
    EXPECT_TRUE(ready);
  }
  other.join();
}

TEST(SharedMutex, IsSharedByReadersAlone) {
  SharedMutex mutex(LockRank::kMap);
  int count = 0;
  std::thread writer([&] {
    for (int i = 0; i < 1'000; ++i) {
      const WriterLock lock(mutex);
      count += 2;
    }
  });
  for (int i = 0; i < 1'000; ++i) {
    const ReaderLock lock(mutex);
    EXPECT_EQ(count % 2, 0);
  }
  writer.join();
  EXPECT_EQ(count, 2'000);
}

TEST(SharedMutex, LetsManyShareAtOnce) {
  SharedMutex mutex(LockRank::kMap);
  const ReaderLock outer(mutex);
  std::thread other([&] { const ReaderLock inner(mutex); });
  other.join();
}

TEST(SharedMutex, LetsAWriterInAmongReadersThatNeverAllLeave) {
  SharedMutex mutex(LockRank::kMap);
  std::atomic<bool> written = false;
  // Each takes its turn before the other ends its own.
  std::array<std::atomic<uint64_t>, 2> turns = {};
  const auto read = [&](size_t self) {
    while (!written) {
      const ReaderLock lock(mutex);
      const uint64_t seen = turns[1 - self];
      ++turns[self];
      for (int spins = 0; spins < 1'000 && !written && turns[1 - self] == seen; ++spins) {
        std::this_thread::yield();
      }
    }
  };
  std::thread first(read, 0);
  std::thread second(read, 1);
  while (turns[0] < 10 || turns[1] < 10) {
    std::this_thread::yield();
  }
  {
    const WriterLock lock(mutex);
    written = true;
  }
  first.join();
  second.join();
}

// Readers and writers come and go; nobody sees a half of a change, and nobody is left asleep.
TEST(SharedMutex, WakesAllWhoWait) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  SharedMutex mutex(LockRank::kMap);
  uint64_t left = 0;
  uint64_t right = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        if ((round + thread) % 3 == 0) {
          const WriterLock lock(mutex);
          ++left;
          if (round % 64 == 0) {
            std::this_thread::yield();
          }
          ++right;
        } else {
          const ReaderLock lock(mutex);
          ASSERT_EQ(left, right);
          if (round % 64 == 1) {
            std::this_thread::yield();
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  uint64_t expected = 0;
  for (int thread = 0; thread < kThreads; ++thread) {
    for (int round = 0; round < kRounds; ++round) {
      expected += (round + thread) % 3 == 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(left, expected);
}

TEST(LockRank, IsTakenInAscendingOrder) {
  Mutex map(LockRank::kMap);
  Mutex leaf(LockRank::kLeaf);
  {
    const MutexLock outer(map);
    const MutexLock inner(leaf);
  }
  const MutexLock outer(leaf);
  EXPECT_DEATH(map.Lock(), "lock order: map lock is taken below leaf lock");
}

TEST(LockRank, LetsTwoFilesBeLockedButNotTwoLeaves) {
  SharedMutex first(LockRank::kIo);
  SharedMutex second(LockRank::kIo);
  {
    const WriterLock outer(first);
    const WriterLock inner(second);
  }
  Mutex leaf(LockRank::kLeaf);
  Mutex other(LockRank::kLeaf);
  const MutexLock lock(leaf);
  EXPECT_DEATH(other.Lock(), "lock order: leaf lock is taken below leaf lock");
}

}  // namespace
}  // namespace iomap
