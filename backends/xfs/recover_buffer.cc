#include "backends/xfs/recover_buffer.h"

#include <cstring>
#include <iterator>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/buffer_layout.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint64_t kNoLsn = std::numeric_limits<uint64_t>::max();

// True when the block on the medium is not older than a transaction of `lsn`. Blocks without an LSN
// (inodes, quota records, what has just been allocated and is still another file's data), and those
// of another file system, are older than everything.
bool HasAlready(const Superblock& superblock, absl::Span<const std::byte> block, uint64_t lsn) {
  const BufferLayout* const layout = superblock.is_v5() ? LayoutOf(block) : nullptr;
  if (layout == nullptr) {
    return false;
  }
  const bool has_meta_uuid = (superblock.incompat & kIncompatMetaUuid) != 0;
  const size_t uuid = layout->kind == LogBufferKind::kSuperblock && has_meta_uuid
                          ? offsetof(DiskSuperblock, meta_uuid)
                          : layout->uuid;
  if (std::memcmp(block.data() + uuid, superblock.meta_uuid.data(), sizeof(Uuid)) != 0) {
    return false;
  }
  const uint64_t found = backends::Load<Be64>(block.data() + layout->lsn);
  return found != 0 && found != kNoLsn && found >= lsn;
}

}  // namespace

absl::Status BufferRecovery::BeginTransaction(uint64_t lsn) {
  if (lsn == lsn_) {
    return absl::OkStatus();
  }
  IOMAP_RETURN_IF_ERROR(StampLsns());
  lsn_ = lsn;
  return absl::OkStatus();
}

absl::Status BufferRecovery::Recover(const LogItem& item) {
  IOMAP_ASSIGN_OR_RETURN(const LogBuffer buffer, ParseLogBuffer(item));
  if (buffer.is_cancel()) {
    target_.cancels.Remove(buffer.place);
    target_.Report(lsn_, "buffer freed", {});
    return absl::OkStatus();
  }
  if (target_.cancels.Contains(buffer.place)) {
    target_.Report(lsn_, "buffer, cancelled", {});
    return absl::OkStatus();
  }
  const ByteRange place{buffer.address(), buffer.bytes()};
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> block, target_.View("buffer", place));
  if (HasAlready(target_.superblock, block, lsn_)) {
    target_.Report(lsn_, "buffer, on the medium already", {});
    return absl::OkStatus();
  }
  if (buffer.holds_inodes()) {
    target_.Report(lsn_, "inode buffer", place);
    return CopyNextUnlinked(buffer, item);
  }
  target_.Report(lsn_, "buffer", place);
  IOMAP_RETURN_IF_ERROR(CopyRuns(buffer, item));
  if (target_.superblock.is_v5()) {
    unstamped_.push_back({buffer.place, buffer.kind()});
    SumAtTheEnd(unstamped_.back());
  }
  return absl::OkStatus();
}

absl::Status BufferRecovery::CopyRuns(const LogBuffer& buffer, const LogItem& item) {
  return ForEachLoggedRun(buffer, item, [&](uint32_t offset, absl::Span<const std::byte> bytes) {
    return target_.device.Write(buffer.address() + offset, bytes);
  });
}

// Inodes in a buffer are logged by themselves; what the buffer's item has of them may be older.
// Only the lists of unlinked inodes are changed through the buffer.
absl::Status BufferRecovery::CopyNextUnlinked(const LogBuffer& buffer, const LogItem& item) {
  constexpr uint32_t kField = offsetof(DiskInode, next_unlinked);
  const uint32_t inode_size = target_.superblock.inode_size;
  return ForEachLoggedRun(
      buffer, item, [&](uint32_t offset, absl::Span<const std::byte> bytes) -> absl::Status {
        const uint32_t end = offset + static_cast<uint32_t>(bytes.size());
        uint32_t inode = offset / inode_size * inode_size;
        for (; inode + kField < end && inode + inode_size <= buffer.bytes(); inode += inode_size) {
          if (inode + kField >= offset) {
            IOMAP_RETURN_IF_ERROR(PutNextUnlinked(
                buffer.address() + inode, bytes.subspan(inode + kField - offset, sizeof(Be32))));
          }
        }
        return absl::OkStatus();
      });
}

absl::Status BufferRecovery::PutNextUnlinked(uint64_t inode_address,
                                             absl::Span<const std::byte> value) {
  if (backends::Load<Be32>(value.data()) == 0) {
    return DamagedLog(absl::StrCat("inode at byte ", inode_address, ": next unlinked inode 0"));
  }
  IOMAP_RETURN_IF_ERROR(
      target_.device.Write(inode_address + offsetof(DiskInode, next_unlinked), value));
  if (!target_.superblock.is_v5()) {
    return absl::OkStatus();
  }
  IOMAP_ASSIGN_OR_RETURN(
      const absl::Span<const std::byte> view,
      target_.device.View(ByteRange{inode_address, target_.superblock.inode_size}));
  std::vector<std::byte> inode(view.begin(), view.end());
  PutChecksum(absl::MakeSpan(inode), offsetof(DiskInode, crc));
  return target_.device.Write(inode_address, inode);
}

absl::Status BufferRecovery::StampLsns() {
  for (const Touched& touched : unstamped_) {
    const uint64_t address = touched.place.block * kBasicBlockSize;
    IOMAP_ASSIGN_OR_RETURN(
        const absl::Span<const std::byte> block,
        target_.device.View(ByteRange{address, touched.place.block_count * kBasicBlockSize}));
    const BufferLayout* const layout = LayoutOf(block);
    if (layout != nullptr && layout->kind == touched.kind) {
      Be64 lsn;
      lsn.set(lsn_);
      IOMAP_RETURN_IF_ERROR(target_.device.Write(
          address + layout->lsn,
          absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&lsn), sizeof lsn)));
    }
  }
  unstamped_.clear();
  return absl::OkStatus();
}

void BufferRecovery::SumAtTheEnd(const Touched& touched) {
  auto next = unchecked_.lower_bound(touched.place.block);
  if (next != unchecked_.begin()) {
    const auto before = std::prev(next);
    if (before->second.place.end() > touched.place.block) {
      unchecked_.erase(before);
    }
  }
  while (next != unchecked_.end() && next->first < touched.place.end()) {
    next = unchecked_.erase(next);
  }
  unchecked_.emplace_hint(next, touched.place.block, touched);
}

absl::Status BufferRecovery::Finish() {
  IOMAP_RETURN_IF_ERROR(StampLsns());
  for (const auto& [block_number, touched] : unchecked_) {
    const uint64_t address = block_number * kBasicBlockSize;
    IOMAP_ASSIGN_OR_RETURN(
        const absl::Span<const std::byte> view,
        target_.device.View(ByteRange{address, touched.place.block_count * kBasicBlockSize}));
    const BufferLayout* const layout = LayoutOf(view);
    if (layout != nullptr && layout->kind == touched.kind) {
      std::vector<std::byte> block(view.begin(), view.end());
      PutChecksum(absl::MakeSpan(block), layout->crc);
      IOMAP_RETURN_IF_ERROR(target_.device.Write(
          address + layout->crc, absl::MakeConstSpan(block).subspan(layout->crc, sizeof(Le32))));
    }
  }
  unchecked_.clear();
  return absl::OkStatus();
}

}  // namespace iomap::xfs
