#include "iomap/mutex.h"

#include <thread>

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
