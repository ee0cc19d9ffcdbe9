#include "backends/xfs/extent_tree_owner.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/format.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

struct TreeBlock {
  uint64_t fsblock = 0;
  uint32_t level = 0;
};

// Appends the children that `count` pointers name, of a node of `level`.
void AppendChildren(const std::byte* pointers, size_t count, uint32_t level,
                    std::vector<TreeBlock>& blocks) {
  for (size_t i = 0; i < count; ++i) {
    blocks.push_back({backends::Load<Be64>(pointers + i * sizeof(Be64)), level - 1});
  }
}

// The children of the root in `inode`; none when its data is not in a tree.
std::vector<TreeBlock> ChildrenOfRoot(absl::Span<const std::byte> inode) {
  const auto disk = backends::CopyOut<DiskInode>(inode.data());
  std::vector<TreeBlock> blocks;
  const absl::Span<const std::byte> literal = inode.subspan(sizeof(DiskInode));
  const size_t fork_bytes = disk.fork_offset == 0 ? literal.size() : size_t{disk.fork_offset} * 8;
  if (disk.mode.get() == 0 || disk.version != 3 ||
      disk.format != static_cast<uint8_t>(ForkFormat::kBtree) || fork_bytes > literal.size()) {
    return blocks;
  }
  const auto root = backends::CopyOut<DiskForkBtreeRoot>(literal.data());
  const uint32_t level = root.level.get();
  const size_t room = (fork_bytes - sizeof root) / (2 * sizeof(Be64));
  if (level == 0 || level >= kMostBtreeLevels || root.record_count.get() > room) {
    return blocks;
  }
  AppendChildren(literal.data() + sizeof root + room * sizeof(Be64), root.record_count.get(), level,
                 blocks);
  return blocks;
}

}  // namespace

absl::Status GiveExtentTree(const ReplayTarget& target, uint64_t inode_address,
                            absl::flat_hash_set<uint64_t>& passed) {
  const Superblock& superblock = target.superblock;
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> inode,
                         target.device.View(ByteRange{inode_address, superblock.inode_size}));
  const auto disk = backends::CopyOut<DiskInode>(inode.data());
  if (disk.magic.get() != kInodeMagic) {
    return absl::OkStatus();  // the log freed it later: nothing of it is in place
  }
  std::vector<TreeBlock> blocks = ChildrenOfRoot(inode);
  while (!blocks.empty()) {
    const TreeBlock next = blocks.back();
    blocks.pop_back();
    if (!superblock.ContainsBlocks(next.fsblock, 1) || !passed.insert(next.fsblock).second) {
      continue;
    }
    const ByteRange place{superblock.AddressOfBlock(next.fsblock), superblock.block_size};
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> view, target.device.View(place));
    auto header = backends::CopyOut<DiskLongBtreeHeader>(view.data());
    if (header.magic.get() != kExtentBtreeMagicV5 || header.level.get() != next.level) {
      continue;
    }
    const size_t room = (view.size() - sizeof header) / (2 * sizeof(Be64));
    if (next.level > 0) {
      AppendChildren(view.data() + sizeof header + room * sizeof(Be64),
                     std::min<size_t>(header.record_count.get(), room), next.level, blocks);
    }
    if (header.owner.get() != disk.inode_number.get()) {
      std::vector<std::byte> block(view.begin(), view.end());
      backends::Store<Be64>(block.data() + offsetof(DiskLongBtreeHeader, owner),
                            disk.inode_number.get());
      PutChecksum(absl::MakeSpan(block), offsetof(DiskLongBtreeHeader, crc));
      IOMAP_RETURN_IF_ERROR(target.device.Write(place.offset, block));
    }
  }
  return absl::OkStatus();
}

}  // namespace iomap::xfs
