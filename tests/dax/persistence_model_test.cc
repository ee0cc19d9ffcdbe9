#include "dax/persistence_model.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace iomap::dax {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Kind = DeviceEvent::Kind;

class Medium {
 public:
  explicit Medium(const PersistenceModel::Options& options = {})
      : model_([](uint64_t) { return Line(); }, options) {}

  Medium& Put(Kind kind, uint64_t address, uint64_t value, uint32_t thread = 0) {
    DeviceEvent event{kind, thread, ByteRange{address, 8}, std::vector<std::byte>(8)};
    std::memcpy(event.bytes.data(), &value, sizeof value);
    model_.Apply(event);
    return *this;
  }
  Medium& Store(uint64_t address, uint64_t value) { return Put(Kind::kStore, address, value); }
  Medium& Through(uint64_t address, uint64_t value, uint32_t thread = 0) {
    return Put(Kind::kStoreThrough, address, value, thread);
  }
  Medium& Flush(uint64_t address, uint32_t thread = 0) {
    model_.Apply({Kind::kFlush, thread, ByteRange{address, 8}});
    return *this;
  }
  Medium& Drain(uint32_t thread = 0) {
    model_.Apply({Kind::kDrain, thread});
    return *this;
  }
  Medium& LockedOperation() {
    model_.Apply({Kind::kLockedReadModifyWrite, 0});
    return *this;
  }
  std::vector<uint64_t> Words(uint64_t address) const { return model_.PossibleWords(address); }
  const PersistenceModel& model() const { return model_; }

 private:
  PersistenceModel model_;
};

TEST(PersistenceModel, KnowsNothingOfLinesThatNobodyTouched) {
  EXPECT_THAT(Medium().Words(0), IsEmpty());
  EXPECT_EQ(Medium().model().StateCount(), 1);
}

TEST(PersistenceModel, LetsAnyPrefixOfALinesStoresSurvive) {
  const Medium medium = Medium().Store(0, 1).Store(0, 2).Store(8, 3);
  EXPECT_THAT(medium.Words(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(medium.Words(8), ElementsAre(0, 3));
  // Not 3 without 2: four contents of the line, not six.
  EXPECT_EQ(medium.model().PossibleLines(0).size(), 4);
  EXPECT_EQ(medium.model().StateCount(), 4);
}

TEST(PersistenceModel, GuaranteesWhatAFlushSawAfterTheSameThreadsDrain) {
  EXPECT_THAT(Medium().Store(0, 1).Flush(0).Words(0), ElementsAre(0, 1));
  EXPECT_THAT(Medium().Store(0, 1).Drain().Words(0), ElementsAre(0, 1));
  EXPECT_THAT(Medium().Store(0, 1).Flush(0).Drain().Words(0), ElementsAre(1));
  EXPECT_THAT(Medium().Store(0, 1).Flush(0, 0).Drain(1).Words(0), ElementsAre(0, 1));
  EXPECT_THAT(Medium().Store(0, 1).Flush(0, 1).Drain(1).Words(0), ElementsAre(1));
}

TEST(PersistenceModel, LeavesStoresBehindTheFlushOptional) {
  EXPECT_THAT(Medium().Store(0, 1).Flush(0).Store(0, 2).Drain().Words(0), ElementsAre(1, 2));
}

TEST(PersistenceModel, LetsAnyWordsStoredPastTheCacheSurviveUntilTheDrain) {
  const Medium medium = Medium().Through(0, 1).Through(8, 2);
  EXPECT_EQ(medium.model().PossibleLines(0).size(), 4);
  EXPECT_THAT(Medium().Through(0, 1).Drain(1).Words(0), UnorderedElementsAre(0, 1));
  EXPECT_THAT(Medium().Through(0, 1).Drain(0).Words(0), ElementsAre(1));
  EXPECT_THAT(Medium().Through(0, 1).Flush(0).Words(0), UnorderedElementsAre(0, 1));
}

TEST(PersistenceModel, KeepsTheOrderOfBothKindsOfStore) {
  // What was stored past the cache first cannot come back over a store that is durable.
  EXPECT_THAT(Medium().Through(0, 1, 1).Store(0, 2).Flush(0).Drain().Words(0), ElementsAre(2));
  EXPECT_THAT(Medium().Store(0, 1).Through(0, 2).Drain().Words(0), ElementsAre(2));
}

TEST(PersistenceModel, HasASwitchForLockedOperations) {
  EXPECT_THAT(Medium().Store(0, 1).Flush(0).LockedOperation().Words(0), ElementsAre(0, 1));
  EXPECT_THAT(
      Medium({.locked_operations_fence = true}).Store(0, 1).Flush(0).LockedOperation().Words(0),
      ElementsAre(1));
}

TEST(PersistenceModel, HasASwitchForDurableCaches) {
  Medium medium({.caches_are_durable = true});
  EXPECT_THAT(medium.Store(0, 1).Store(0, 2).Words(0), ElementsAre(2));
  EXPECT_THAT(medium.Through(64, 1).Words(64), UnorderedElementsAre(0, 1));
}

TEST(PersistenceModel, DrawsAmongWhatIsPossible) {
  const Medium medium = Medium().Store(0, 1).Store(64, 2);
  std::set<std::pair<uint64_t, uint64_t>> drawn;
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    uint64_t words[2] = {0, 0};
    for (const auto& [address, line] : medium.model().Draw(random)) {
      std::memcpy(&words[address / 64], line.data(), 8);
    }
    drawn.emplace(words[0], words[1]);
  }
  EXPECT_EQ(drawn.size(), 4);
  EXPECT_EQ(medium.model().StateCount(), 4);
}

// One line with one word, and stores through the cache alone: by the definition, a store may be the
// last that has arrived when no later one was guaranteed.
TEST(PersistenceModel, AgreesWithTheDefinitionOnRandomTraces) {
  std::mt19937_64 random(5);
  for (int trace = 0; trace < 2000; ++trace) {
    Medium medium;
    std::vector<uint64_t> values = {0};
    size_t guaranteed = 0;
    size_t seen[2] = {0, 0};  // by each thread's last flush
    for (int step = 0; step < 12; ++step) {
      const uint32_t thread = random() % 2;
      switch (random() % 3) {
        case 0:
          values.push_back(values.size());
          medium.Put(Kind::kStore, 0, values.back(), thread);
          break;
        case 1:
          medium.Flush(0, thread);
          seen[thread] = values.size() - 1;
          break;
        default:
          medium.Drain(thread);
          guaranteed = std::max(guaranteed, seen[thread]);
      }
    }
    if (values.size() > 1) {
      EXPECT_THAT(medium.Words(0),
                  testing::UnorderedElementsAreArray(
                      values.begin() + static_cast<std::ptrdiff_t>(guaranteed), values.end()))
          << "trace " << trace;
    }
  }
}

}  // namespace
}  // namespace iomap::dax
