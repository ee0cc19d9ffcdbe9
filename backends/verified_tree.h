#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"

namespace iomap::backends {

// One block of an on-disk B+tree that has been read and found right. A leaf's records stay where
// they lie on the device; an inner node's keys and children are copies.
struct TreeNode {
  uint32_t level = 0;                  // 0: a leaf
  uint32_t count = 0;                  // records of a leaf, children of an inner node
  const std::byte* records = nullptr;  // level 0: the first record
  // Level > 0: ascending; keys[i] is the least key below children[i].
  std::vector<uint64_t> keys = {};
  std::vector<uint64_t> children = {};  // level > 0: addresses in the format's own unit
};

// Where a node hangs: what its parent promises of it.
struct TreePlace {
  uint32_t level = 0;
  uint64_t key_begin = 0;  // all keys of the node lie in [key_begin, key_end)
  uint64_t key_end = std::numeric_limits<uint64_t>::max();
};

// A B+tree on the medium, with each block verified once, when a look-up first passes it, in the
// place where it hangs: a block that two parents name is verified for each. Look-ups cost a binary
// search a level and one atomic load; nothing is allocated after the first pass. Both formats'
// extent trees, and XFS's trees of an allocation group, are read through it. Safe for concurrent
// use.
class VerifiedTree {
 public:
  // Reads and checks the block at `address`: magic, checksum, level, that it has at least one
  // record or child (so that no image makes a walk endless), that keys ascend within the place,
  // that addresses lie on the device. DataLoss, with place and value, otherwise. Called without a
  // lock held, perhaps twice at once for the same block.
  using NodeReader =
      std::function<absl::StatusOr<TreeNode>(uint64_t address, const TreePlace& place)>;

  // A leaf and the keys that it answers for: [key_begin, key_end). What it has no record of is
  // nowhere.
  struct Leaf {
    const TreeNode* node = nullptr;  // lives as long as the tree
    uint64_t key_begin = 0;
    uint64_t key_end = 0;
  };

  // `root` is verified already. It may be an empty leaf.
  VerifiedTree(TreeNode root, NodeReader reader);

  // The leaf that answers for `key`.
  absl::StatusOr<Leaf> FindLeaf(uint64_t key) const;

 private:
  struct Node {
    explicit Node(TreeNode node);

    TreeNode verified;
    mutable std::vector<std::atomic<const Node*>> children;  // null: not passed yet
  };

  absl::StatusOr<const Node*> ReadChild(const Node& parent, size_t index,
                                        const TreePlace& place) const;

  const NodeReader reader_;
  const Node root_;
  mutable std::mutex mutex_;  // guards read_nodes_; children are published through their atomics
  mutable std::vector<std::unique_ptr<const Node>> read_nodes_;
};

// The index of the last of `leaf`'s records whose key is at most `key`, or leaf.count when there is
// none. KeyOf(const std::byte* records, index) decodes the key of a record.
template <typename KeyOf>
uint32_t LastRecordAtOrBefore(const TreeNode& leaf, uint64_t key, KeyOf&& key_of) {
  uint32_t begin = 0;
  uint32_t size = leaf.count;
  while (size > 0) {  // invariant: records before `begin` are at or before key
    const uint32_t half = size / 2;
    const bool at_or_before = key_of(leaf.records, begin + half) <= key;
    begin = at_or_before ? begin + half + 1 : begin;
    size = at_or_before ? size - half - 1 : half;
  }
  return begin == 0 ? leaf.count : begin - 1;
}

}  // namespace iomap::backends
