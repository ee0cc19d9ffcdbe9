#include "backends/xfs/group_trees.h"

#include <utility>

#include "iomap/status_macros.h"

namespace iomap::xfs {

using backends::TreeNode;
using backends::TreePlace;
using backends::VerifiedTree;

GroupTrees::GroupTrees(const Volume& volume, const BtreeFormat& format, RootReader read_root,
                       GroupRecordCheck check_records)
    : volume_(volume),
      format_(format),
      read_root_(read_root),
      check_records_(check_records),
      trees_(volume.superblock.ag_count) {}

absl::StatusOr<const VerifiedTree*> GroupTrees::Find(uint32_t ag) {
  const VerifiedTree* tree = trees_[ag].load(std::memory_order_acquire);
  return tree != nullptr ? tree : Open(ag);
}

absl::StatusOr<const VerifiedTree*> GroupTrees::Open(uint32_t ag) {
  const auto read = [this, ag](uint64_t fsblock, const TreePlace& place, Emptiness emptiness) {
    return ReadBtreeBlock(
        volume_, format_, ag, fsblock, place, emptiness,
        [&](const std::byte* records, uint32_t count, const TreePlace& leaf_place) {
          return check_records_(volume_.superblock, ag, records, count, leaf_place);
        });
  };
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const VerifiedTree* other = trees_[ag].load(std::memory_order_acquire); other != nullptr) {
    return other;
  }
  IOMAP_ASSIGN_OR_RETURN(const BtreeRoot root, read_root_(volume_, ag));
  IOMAP_ASSIGN_OR_RETURN(
      TreeNode node, read(root.fsblock, TreePlace{.level = root.levels - 1}, Emptiness::kAllowed));
  opened_.push_back(std::make_unique<const VerifiedTree>(
      std::move(node), [read](uint64_t fsblock, const TreePlace& place) {
        return read(fsblock, place, Emptiness::kRefused);
      }));
  trees_[ag].store(opened_.back().get(), std::memory_order_release);
  return opened_.back().get();
}

}  // namespace iomap::xfs
