#include "backends/xfs/recover_inode.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

template <typename... What>
absl::Status Damaged(const LogInode& logged, const What&... what) {
  return DamagedLog(absl::StrCat("inode ", logged.number, ": ", what...));
}

// True when the inode on the medium is not older. Several transactions may begin in one record, so
// an equal LSN says nothing. Versions 1 and 2 have no LSN, but count how often they were written,
// modulo 2^16.
bool HasNewer(const DiskInode& disk, const LogInode& logged, uint64_t lsn) {
  if (disk.version >= 3) {
    const uint64_t found = disk.lsn.get();
    return found != 0 && found != ~uint64_t{0} && found > lsn;
  }
  if (logged.is_v3()) {
    return false;
  }
  const uint16_t found = static_cast<uint16_t>(disk.big_extent_count.get());
  const uint16_t iteration = logged.flush_iteration();
  const bool wrapped = found == kMostFlushIteration && iteration < kMostFlushIteration / 2;
  return iteration < found && !wrapped;
}

// The root of a tree is logged as it is in memory, where it looks like any block of the tree; in
// the inode it has a shorter header and other room for keys.
absl::Status CopyTreeRoot(const LogInode& logged, absl::Span<const std::byte> root,
                          absl::Span<std::byte> fork) {
  const size_t header_bytes =
      logged.is_v3() ? sizeof(DiskLongBtreeHeader) : offsetof(DiskLongBtreeHeader, block_number);
  constexpr size_t kPair = 2 * sizeof(Be64);
  if (root.size() < header_bytes || fork.size() < sizeof(DiskForkBtreeRoot)) {
    return Damaged(logged, "the root of a tree of ", root.size(), " bytes, in a fork of ",
                   fork.size());
  }
  const size_t room = (root.size() - header_bytes) / kPair;
  const size_t fork_room = (fork.size() - sizeof(DiskForkBtreeRoot)) / kPair;
  const size_t count =
      backends::Load<Be16>(root.data() + offsetof(DiskLongBtreeHeader, record_count));
  if (count > std::min(room, fork_room)) {
    return Damaged(logged, "the root of a tree has ", count, " children, at most ",
                   std::min(room, fork_room));
  }
  DiskForkBtreeRoot header;
  header.level.set(backends::Load<Be16>(root.data() + offsetof(DiskLongBtreeHeader, level)));
  header.record_count.set(static_cast<uint16_t>(count));
  std::memcpy(fork.data(), &header, sizeof header);
  const std::byte* const keys = root.data() + header_bytes;
  std::byte* const fork_keys = fork.data() + sizeof header;
  std::memcpy(fork_keys, keys, count * sizeof(Be64));
  std::memcpy(fork_keys + fork_room * sizeof(Be64), keys + room * sizeof(Be64),
              count * sizeof(Be64));
  return absl::OkStatus();
}

// Puts what is logged of one fork, a tree's root or bytes as they are, into its place.
absl::Status CopyFork(const LogInode& logged, bool is_tree_root, absl::Span<const std::byte> from,
                      absl::Span<std::byte> fork) {
  if (from.empty()) {
    return absl::OkStatus();
  }
  if (is_tree_root) {
    return CopyTreeRoot(logged, from, fork);
  }
  if (from.size() > fork.size()) {
    return Damaged(logged, from.size(), " bytes for a fork of ", fork.size());
  }
  std::memcpy(fork.data(), from.data(), from.size());
  return absl::OkStatus();
}

absl::Status CopyForks(const LogInode& logged, absl::Span<std::byte> inode) {
  const size_t begin = logged.is_v3() ? sizeof(DiskInode) : offsetof(DiskInode, crc);
  const absl::Span<std::byte> literal = inode.subspan(begin);
  const size_t attributes = size_t{logged.core.fork_offset} * 8;
  if (attributes > literal.size()) {
    return Damaged(logged, "attribute fork at ", attributes, " of ", literal.size(), " bytes");
  }
  const absl::Span<std::byte> data_fork =
      literal.first(attributes == 0 ? literal.size() : attributes);
  if ((logged.fields & kLogInodeDevice) != 0) {
    backends::Store<Be32>(data_fork.data(), logged.device);
  }
  IOMAP_RETURN_IF_ERROR(
      CopyFork(logged, (logged.fields & kLogInodeDataRoot) != 0, logged.data_fork, data_fork));
  const absl::Span<std::byte> attribute_fork =
      literal.subspan(attributes == 0 ? literal.size() : attributes);
  return CopyFork(logged, (logged.fields & kLogInodeAttributeRoot) != 0, logged.attribute_fork,
                  attribute_fork);
}

}  // namespace

absl::Status RecoverInode(const ReplayTarget& target, uint64_t lsn, const LogInode& logged) {
  const std::string name = absl::StrCat("inode ", logged.number);
  if (target.cancels.Contains(logged.place)) {
    target.Report(lsn, name + ", cancelled", {});
    return absl::OkStatus();
  }
  const ByteRange place{logged.address(), target.superblock.inode_size};
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> view, target.View(name, place));
  std::vector<std::byte> inode(view.begin(), view.end());
  auto disk = backends::CopyOut<DiskInode>(inode.data());
  if (disk.magic.get() != kInodeMagic) {
    return Damaged(logged, "no inode lies at byte ", place.offset, ": magic number ",
                   absl::Hex(disk.magic.get(), absl::kZeroPad4));
  }
  if (HasNewer(disk, logged, lsn)) {
    target.Report(lsn, name + ", on the medium already", {});
    return absl::OkStatus();
  }
  CopyInodeCore(logged, lsn, disk);
  // Of versions 1 and 2, what would be their checksum is the start of the data fork: as it was.
  std::memcpy(inode.data(), &disk, logged.is_v3() ? sizeof disk : offsetof(DiskInode, crc));
  IOMAP_RETURN_IF_ERROR(CopyForks(logged, absl::MakeSpan(inode)));
  if (logged.is_v3()) {
    PutChecksum(absl::MakeSpan(inode), offsetof(DiskInode, crc));
  }
  target.Report(lsn, name, place);
  return target.device.Write(place.offset, inode);
}

}  // namespace iomap::xfs
