#include "backends/xfs/mapping_changes.h"

#include <algorithm>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "backends/xfs/block_map.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

// The extents of one file by their first block.
class ForkExtents {
 public:
  void Insert(const Extent& extent) { extents_[extent.file_block] = extent; }

  // Takes the blocks [begin, end) out.
  void Remove(uint64_t begin, uint64_t end) {
    auto next = extents_.lower_bound(begin);
    if (next != extents_.begin()) {
      Extent& before = std::prev(next)->second;
      if (before.end() > begin) {
        const Extent whole = before;
        before.block_count = static_cast<uint32_t>(begin - whole.file_block);
        if (whole.end() > end) {
          Insert(TailOf(whole, end));
        }
      }
    }
    while (next != extents_.end() && next->first < end) {
      const Extent whole = next->second;
      next = extents_.erase(next);
      if (whole.end() > end) {
        Insert(TailOf(whole, end));
        break;
      }
    }
  }

  uint64_t BlockCount() const {
    uint64_t blocks = 0;
    for (const auto& [file_block, extent] : extents_) {
      blocks += extent.block_count;
    }
    return blocks;
  }

  const std::map<uint64_t, Extent>& by_file_block() const { return extents_; }

 private:
  static Extent TailOf(const Extent& extent, uint64_t begin) {
    Extent tail = extent;
    tail.start_block += begin - extent.file_block;
    tail.block_count = static_cast<uint32_t>(extent.end() - begin);
    tail.file_block = begin;
    return tail;
  }

  std::map<uint64_t, Extent> extents_;
};

}  // namespace

absl::Status MappingChanges::CheckFinished(InodeNumber inode) const {
  const auto refused = refused_.find(inode);
  if (refused == refused_.end()) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError(absl::StrCat(
      "xfs inode ", inode, ": the log leaves ", refused->second,
      " of it unfinished, which only mounting the file system finishes; --no-replay reads what "
      "lies on the medium"));
}

absl::Status MappingChanges::FinishFile(const Volume& volume, Inode& inode) const {
  const auto found = changes_.find(inode.number());
  const bool has_extents =
      inode.fork_format == ForkFormat::kExtents || inode.fork_format == ForkFormat::kBtree;
  if (found == changes_.end() || !has_extents) {
    return absl::OkStatus();
  }
  ForkExtents extents;
  {
    IOMAP_ASSIGN_OR_RETURN(backends::TreeNode root, BlockMap::ReadRoot(volume, inode));
    const BlockMap block_map(volume, inode, std::move(root));
    IOMAP_RETURN_IF_ERROR(block_map.ForEachExtent(0, [&](const Extent& extent) {
      extents.Insert(extent);
      return true;
    }));
  }
  const uint64_t blocks_before = extents.BlockCount();
  for (const MappingChange& change : found->second) {
    extents.Remove(change.extent.file_block, change.extent.end());
    if (change.kind == MappingChange::Kind::kMap) {
      extents.Insert(change.extent);
    }
  }
  const size_t bytes = extents.by_file_block().size() * sizeof(DiskExtent);
  if (bytes > std::numeric_limits<uint32_t>::max() - inode.bytes.size()) {
    return absl::UnimplementedError(
        absl::StrCat("xfs inode ", inode.number(), ": too many extents for a change of mappings"));
  }
  inode.fork_format = ForkFormat::kExtents;
  inode.fork_begin = static_cast<uint32_t>(inode.bytes.size());
  inode.fork_bytes = static_cast<uint32_t>(bytes);
  inode.extent_count = extents.by_file_block().size();
  inode.bytes.resize(inode.bytes.size() + bytes);
  std::byte* out = inode.bytes.data() + inode.fork_begin;
  for (const auto& [file_block, extent] : extents.by_file_block()) {
    EncodeExtent(extent, out);
    out += sizeof(DiskExtent);
  }
  const uint64_t blocks = inode.block_count - blocks_before + extents.BlockCount();
  inode.block_count = blocks;
  inode.attributes.blocks_512 = blocks << (volume.superblock.block_log - 9);
  return absl::OkStatus();
}

}  // namespace iomap::xfs
