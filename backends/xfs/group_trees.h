#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/verified_tree.h"
#include "backends/xfs/btree.h"
#include "backends/xfs/group_headers.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// One kind of B+tree in all allocation groups: each group's is opened when it is first asked for.
// Safe for concurrent use.
class GroupTrees {
 public:
  using RootReader = absl::StatusOr<BtreeRoot> (*)(const Volume& volume, uint32_t ag);
  using GroupRecordCheck = absl::Status (*)(const Superblock& superblock, uint32_t ag,
                                            const std::byte* records, uint32_t count,
                                            const backends::TreePlace& place);

  // `volume` and `format` outlive the trees.
  GroupTrees(const Volume& volume, const BtreeFormat& format, RootReader read_root,
             GroupRecordCheck check_records);

  // The tree of group `ag`, which exists. DataLoss when its header or root is damaged.
  absl::StatusOr<const backends::VerifiedTree*> Find(uint32_t ag);

 private:
  absl::StatusOr<const backends::VerifiedTree*> Open(uint32_t ag);

  const Volume& volume_;
  const BtreeFormat& format_;
  const RootReader read_root_;
  const GroupRecordCheck check_records_;
  std::vector<std::atomic<const backends::VerifiedTree*>> trees_;  // null: not opened yet
  std::mutex mutex_;                                               // guards opened_
  std::vector<std::unique_ptr<const backends::VerifiedTree>> opened_;
};

}  // namespace iomap::xfs
