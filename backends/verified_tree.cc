#include "backends/verified_tree.h"

#include <algorithm>
#include <utility>

#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::backends {

VerifiedTree::Node::Node(TreeNode node)
    : verified(std::move(node)), children(verified.level > 0 ? verified.count : 0) {
  IOMAP_CHECK(verified.level == 0 ||
              (verified.count > 0 && verified.keys.size() == verified.count &&
               verified.children.size() == verified.count));
}

VerifiedTree::VerifiedTree(TreeNode root, NodeReader reader)
    : reader_(std::move(reader)), root_(std::move(root)) {}

absl::StatusOr<VerifiedTree::Leaf> VerifiedTree::FindLeaf(uint64_t key) const {
  const Node* node = &root_;
  TreePlace place{.level = root_.verified.level};
  while (node->verified.level > 0) {
    const std::vector<uint64_t>& keys = node->verified.keys;
    // A key in front of the first one belongs to the first child, which then has no record of it.
    const size_t index = std::upper_bound(keys.begin() + 1, keys.end(), key) - keys.begin() - 1;
    if (index > 0) {
      place.key_begin = keys[index];
    }
    if (index + 1 < keys.size()) {
      place.key_end = keys[index + 1];
    }
    --place.level;
    const Node* child = node->children[index].load(std::memory_order_acquire);
    if (child == nullptr) [[unlikely]] {
      IOMAP_ASSIGN_OR_RETURN(child, ReadChild(*node, index, place));
    }
    node = child;
  }
  return Leaf{&node->verified, place.key_begin, place.key_end};
}

absl::StatusOr<const VerifiedTree::Node*> VerifiedTree::ReadChild(const Node& parent, size_t index,
                                                                  const TreePlace& place) const {
  IOMAP_ASSIGN_OR_RETURN(TreeNode read, reader_(parent.verified.children[index], place));
  IOMAP_CHECK(read.level == place.level && read.count > 0);
  auto node = std::make_unique<const Node>(std::move(read));
  const std::lock_guard<std::mutex> lock(mutex_);
  std::atomic<const Node*>& slot = parent.children[index];
  if (const Node* other = slot.load(std::memory_order_acquire); other != nullptr) {
    return other;
  }
  slot.store(node.get(), std::memory_order_release);
  read_nodes_.push_back(std::move(node));
  return slot.load(std::memory_order_relaxed);
}

}  // namespace iomap::backends
