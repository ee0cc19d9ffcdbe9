#include "backends/verified_tree.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::backends {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using tests::IsOk;
using tests::StatusIs;

TreeNode LeafOf(uint32_t count) { return {.level = 0, .count = count}; }

TreeNode InnerOf(uint32_t level, const std::vector<uint64_t>& keys,
                 const std::vector<uint64_t>& children) {
  return {.level = level,
          .count = static_cast<uint32_t>(keys.size()),
          .keys = keys,
          .children = children};
}

// The blocks of a tree, and a log of who read which, where. Safe for concurrent use.
class Blocks {
 public:
  explicit Blocks(std::map<uint64_t, TreeNode> blocks) : blocks_(std::move(blocks)) {}

  VerifiedTree::NodeReader Reader() {
    return [this](uint64_t address, const TreePlace& place) -> absl::StatusOr<TreeNode> {
      const std::lock_guard<std::mutex> lock(mutex_);
      reads_.emplace_back(address, place);
      if (damaged_) {
        return absl::DataLossError(absl::StrCat("block ", address, ": bad checksum"));
      }
      return blocks_.at(address);
    };
  }

  void SetDamaged(bool damaged) { damaged_ = damaged; }

  std::vector<uint64_t> addresses_read() const {
    std::vector<uint64_t> addresses;
    for (const auto& [address, place] : reads_) {
      addresses.push_back(address);
    }
    return addresses;
  }
  const std::vector<std::pair<uint64_t, TreePlace>>& reads() const { return reads_; }

 private:
  const std::map<uint64_t, TreeNode> blocks_;
  std::mutex mutex_;
  std::vector<std::pair<uint64_t, TreePlace>> reads_;
  bool damaged_ = false;
};

// Three levels: the root at level 2, blocks 10 and 11 at level 1, leaves 20 to 23.
Blocks ThreeLevels() {
  return Blocks({{10, InnerOf(1, {0, 100}, {20, 21})},
                 {11, InnerOf(1, {200, 300}, {22, 23})},
                 {20, LeafOf(1)},
                 {21, LeafOf(2)},
                 {22, LeafOf(3)},
                 {23, LeafOf(4)}});
}
TreeNode ThreeLevelsRoot() { return InnerOf(2, {0, 200}, {10, 11}); }

TEST(VerifiedTree, ARootThatIsALeafAnswersForEveryKeyEvenWhenItIsEmpty) {
  const VerifiedTree tree(LeafOf(0), [](uint64_t, const TreePlace&) -> absl::StatusOr<TreeNode> {
    return absl::InternalError("a leaf has no children");
  });
  const auto leaf = tree.FindLeaf(4711);
  ASSERT_THAT(leaf, IsOk());
  EXPECT_EQ(leaf->node->count, 0u);
  EXPECT_EQ(leaf->key_begin, 0u);
  EXPECT_EQ(leaf->key_end, ~uint64_t{0});
}

TEST(VerifiedTree, FindsTheLeafThatAnswersForAKeyAndTheKeysItAnswersFor) {
  Blocks blocks = ThreeLevels();
  const VerifiedTree tree(ThreeLevelsRoot(), blocks.Reader());
  const auto expect = [&](uint64_t key, uint32_t count, uint64_t begin, uint64_t end) {
    const auto leaf = tree.FindLeaf(key);
    ASSERT_THAT(leaf, IsOk());
    EXPECT_EQ(leaf->node->count, count) << key;
    EXPECT_EQ(leaf->key_begin, begin) << key;
    EXPECT_EQ(leaf->key_end, end) << key;
  };
  expect(0, 1, 0, 100);
  expect(99, 1, 0, 100);
  expect(100, 2, 100, 200);
  expect(200, 3, 200, 300);
  expect(~uint64_t{0}, 4, 300, ~uint64_t{0});
}

TEST(VerifiedTree, AKeyInFrontOfTheFirstBelongsToTheFirstChild) {
  Blocks blocks({{20, LeafOf(1)}, {21, LeafOf(2)}});
  const VerifiedTree tree(InnerOf(1, {50, 100}, {20, 21}), blocks.Reader());
  const auto leaf = tree.FindLeaf(7);
  ASSERT_THAT(leaf, IsOk());
  EXPECT_EQ(leaf->node->count, 1u);
  EXPECT_EQ(leaf->key_begin, 0u);
  EXPECT_EQ(leaf->key_end, 100u);
}

TEST(VerifiedTree, ReadsEachBlockOnceAndOnlyWhenALookUpPassesIt) {
  Blocks blocks = ThreeLevels();
  const VerifiedTree tree(ThreeLevelsRoot(), blocks.Reader());
  EXPECT_THAT(tree.FindLeaf(150), IsOk());
  EXPECT_THAT(blocks.addresses_read(), ElementsAre(10, 21));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(tree.FindLeaf(0), IsOk());
    EXPECT_THAT(tree.FindLeaf(199), IsOk());
  }
  EXPECT_THAT(blocks.addresses_read(), ElementsAre(10, 21, 20));
}

TEST(VerifiedTree, TellsTheReaderWhatTheParentPromised) {
  Blocks blocks = ThreeLevels();
  const VerifiedTree tree(ThreeLevelsRoot(), blocks.Reader());
  EXPECT_THAT(tree.FindLeaf(250), IsOk());
  ASSERT_THAT(blocks.reads(), SizeIs(2));
  EXPECT_EQ(blocks.reads()[0].second.level, 1u);
  EXPECT_EQ(blocks.reads()[0].second.key_begin, 200u);
  EXPECT_EQ(blocks.reads()[0].second.key_end, ~uint64_t{0});
  EXPECT_EQ(blocks.reads()[1].second.level, 0u);
  EXPECT_EQ(blocks.reads()[1].second.key_begin, 200u);
  EXPECT_EQ(blocks.reads()[1].second.key_end, 300u);
}

TEST(VerifiedTree, VerifiesABlockForEachPlaceThatNamesIt) {
  Blocks blocks({{20, LeafOf(1)}});
  const VerifiedTree tree(InnerOf(1, {0, 100}, {20, 20}), blocks.Reader());
  EXPECT_THAT(tree.FindLeaf(0), IsOk());
  EXPECT_THAT(tree.FindLeaf(100), IsOk());
  ASSERT_THAT(blocks.addresses_read(), ElementsAre(20, 20));
  EXPECT_EQ(blocks.reads()[0].second.key_begin, 0u);
  EXPECT_EQ(blocks.reads()[1].second.key_begin, 100u);
}

TEST(VerifiedTree, ReturnsTheReadersErrorAndAsksAgainTheNextTime) {
  Blocks blocks = ThreeLevels();
  const VerifiedTree tree(ThreeLevelsRoot(), blocks.Reader());
  blocks.SetDamaged(true);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(tree.FindLeaf(0),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block 10: bad checksum")));
  }
  EXPECT_THAT(blocks.addresses_read(), ElementsAre(10, 10));
  blocks.SetDamaged(false);
  EXPECT_THAT(tree.FindLeaf(0), IsOk());
  EXPECT_THAT(blocks.addresses_read(), ElementsAre(10, 10, 10, 20));
}

TEST(VerifiedTree, KeepsItsNodesWhileItLives) {
  Blocks blocks = ThreeLevels();
  const VerifiedTree tree(ThreeLevelsRoot(), blocks.Reader());
  const TreeNode* first = tree.FindLeaf(0)->node;
  for (const uint64_t key : {100, 200, 300}) {
    EXPECT_THAT(tree.FindLeaf(key), IsOk());
  }
  EXPECT_EQ(tree.FindLeaf(0)->node, first);
}

TEST(VerifiedTreeDeathTest, AReaderThatBreaksItsPromiseOfTheLevelIsOurOwnBug) {
  Blocks blocks({{20, InnerOf(1, {0}, {20})}});
  const VerifiedTree tree(InnerOf(1, {0}, {20}), blocks.Reader());
  EXPECT_DEATH((void)tree.FindLeaf(0), "check failed");
}

// A tree of 1 + 32 inner nodes and 1,024 leaves, leaf i for keys from 10 i on, with i + 1 records.
absl::StatusOr<TreeNode> WideTreeNode(uint64_t address, const TreePlace& place) {
  if (place.level == 0) {
    return LeafOf(static_cast<uint32_t>(address) + 1);
  }
  std::vector<uint64_t> keys;
  std::vector<uint64_t> children;
  for (uint64_t i = 0; i < 32; ++i) {
    const uint64_t child = place.level == 2 ? i : address * 32 + i;
    keys.push_back(place.level == 2 ? i * 320 : child * 10);
    children.push_back(child);
  }
  return InnerOf(place.level, keys, children);
}

TEST(VerifiedTree, AnswersManyThreadsAtOnce) {
  constexpr uint64_t kThreads = 8;
  constexpr uint64_t kLeaves = 1024;
  const VerifiedTree tree(*WideTreeNode(0, {.level = 2}), &WideTreeNode);
  std::array<std::vector<const TreeNode*>, kThreads> seen;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&tree, &nodes = seen[thread], thread] {
      nodes.resize(kLeaves);
      for (uint64_t i = 0; i < kLeaves; ++i) {
        const uint64_t leaf = (i * 7 + thread * 3) % kLeaves;
        const auto found = tree.FindLeaf(leaf * 10 + 5);
        ASSERT_THAT(found, IsOk());
        ASSERT_EQ(found->node->count, leaf + 1);
        nodes[leaf] = found->node;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(seen, Each(seen[0])) << "two threads were given different copies of a node";
}

uint64_t KeyOf(const std::byte* records, uint32_t index) {
  return static_cast<uint64_t>(records[index]);
}

TEST(LastRecordAtOrBefore, IsTheLastWhoseKeyIsNotLarger) {
  const std::array<std::byte, 3> records = {std::byte{10}, std::byte{20}, std::byte{30}};
  const TreeNode leaf{.count = 3, .records = records.data()};
  EXPECT_EQ(LastRecordAtOrBefore(leaf, 10, KeyOf), 0u);
  EXPECT_EQ(LastRecordAtOrBefore(leaf, 19, KeyOf), 0u);
  EXPECT_EQ(LastRecordAtOrBefore(leaf, 20, KeyOf), 1u);
  EXPECT_EQ(LastRecordAtOrBefore(leaf, 1000, KeyOf), 2u);
}

TEST(LastRecordAtOrBefore, IsTheCountWhenThereIsNone) {
  const std::array<std::byte, 1> records = {std::byte{10}};
  EXPECT_EQ(LastRecordAtOrBefore({.count = 1, .records = records.data()}, 9, KeyOf), 1u);
  EXPECT_EQ(LastRecordAtOrBefore({.count = 0}, 9, KeyOf), 0u);
}

TEST(LastRecordAtOrBefore, AgreesWithAWalkForEveryCountAndKey) {
  std::array<std::byte, 40> records;
  for (size_t i = 0; i < records.size(); ++i) {
    records[i] = std::byte(2 * i + 1);
  }
  for (uint32_t count = 0; count <= records.size(); ++count) {
    for (uint64_t key = 0; key < 90; ++key) {
      uint32_t expected = count;
      for (uint32_t i = 0; i < count; ++i) {
        expected = KeyOf(records.data(), i) <= key ? i : expected;
      }
      ASSERT_EQ(LastRecordAtOrBefore({.count = count, .records = records.data()}, key, KeyOf),
                expected);
    }
  }
}

}  // namespace
}  // namespace iomap::backends
