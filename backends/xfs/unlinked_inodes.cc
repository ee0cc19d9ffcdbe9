#include "backends/xfs/unlinked_inodes.h"

#include "absl/container/flat_hash_set.h"
#include "backends/xfs/group_headers.h"

namespace iomap::xfs {
namespace {

constexpr uint32_t kEndOfList = 0xFFFFFFFF;

}  // namespace

void ForEachUnlinkedInode(const Volume& volume, absl::FunctionRef<void(const Inode&)> visit) {
  const Superblock& superblock = volume.superblock;
  absl::flat_hash_set<InodeNumber> met;  // so that no list is endless
  for (uint32_t ag = 0; ag < superblock.ag_count; ++ag) {
    const absl::StatusOr<UnlinkedHeads> heads = ReadUnlinkedHeads(volume, ag);
    if (!heads.ok()) {
      continue;
    }
    for (uint32_t next : *heads) {
      while (next != kEndOfList) {
        const InodeNumber number = (uint64_t{ag} << superblock.ag_inode_log()) + next;
        const absl::StatusOr<Inode> inode = ReadInode(volume, number);
        if (!inode.ok() || inode->attributes.link_count != 0 || !met.insert(number).second) {
          break;
        }
        visit(*inode);
        next = backends::CopyOut<DiskInode>(inode->bytes.data()).next_unlinked.get();
      }
    }
  }
}

}  // namespace iomap::xfs
