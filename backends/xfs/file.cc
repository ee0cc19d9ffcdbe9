#include "backends/xfs/file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/xfs/symlink.h"
#include "iomap/mapping_writer.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {

absl::StatusOr<std::shared_ptr<File>> File::Open(const Volume& volume, SharedRanges& shared_ranges,
                                                 Inode inode) {
  // The root may point into the inode's bytes, which stay where they are when the inode is moved.
  IOMAP_ASSIGN_OR_RETURN(backends::TreeNode root, BlockMap::ReadRoot(volume, inode));
  return std::shared_ptr<File>(new File(volume, shared_ranges, std::move(inode), std::move(root)));
}

File::File(const Volume& volume, SharedRanges& shared_ranges, Inode inode, backends::TreeNode root)
    : dax::File(inode.number(), volume.devices),
      volume_(volume),
      shared_ranges_(shared_ranges),
      inode_(std::move(inode)),
      block_map_(volume, inode_, std::move(root)),
      directory_(volume, inode_, block_map_) {}

absl::Status File::CheckDevice() const {
  if (inode_.on_realtime_device && inode_.extent_count > 0 && !volume_.has_realtime_device()) {
    return absl::FailedPreconditionError(
        absl::StrCat("xfs inode ", inode(),
                     ": its blocks lie on the realtime device, which was not given (--rtdev)"));
  }
  return absl::OkStatus();
}

Mapping File::MappingOf(const Extent& extent) const {
  const uint8_t block_log = volume_.superblock.block_log;
  const uint64_t offset = extent.file_block << block_log;
  const uint64_t length = uint64_t{extent.block_count} << block_log;
  return Mapping{.offset = offset,
                 .length = std::min(length, ByteRange::kMaxOffset - offset),
                 .address = inode_.on_realtime_device
                                ? extent.start_block << block_log
                                : volume_.superblock.AddressOfBlock(extent.start_block),
                 .type = extent.unwritten ? MappingType::kUnwritten : MappingType::kMapped,
                 .device = static_cast<uint8_t>(inode_.on_realtime_device ? 1 : 0)};
}

absl::StatusOr<size_t> File::MapForRead(const ByteRange& range, absl::Span<Mapping> out) {
  IOMAP_RETURN_IF_ERROR(CheckDevice());
  MappingWriter writer(range, out);
  if (inode_.fork_format == ForkFormat::kLocal) {
    writer.Append(Mapping{.length = inode_.attributes.size, .type = MappingType::kInline});
  } else {
    IOMAP_RETURN_IF_ERROR(block_map_.ForEachExtent(
        range.offset >> volume_.superblock.block_log,
        [&](const Extent& extent) { return writer.Append(MappingOf(extent)); }));
  }
  writer.AppendHoleUntil(ByteRange::kMaxOffset);
  return writer.count();
}

template <typename Append>
absl::StatusOr<bool> File::SplitByShares(const Extent& extent, uint64_t from,
                                         Append&& append) const {
  if (extent.end() <= from) {
    return true;
  }
  // The record is read from the medium anew, and may have changed since it was checked.
  if (!volume_.superblock.ContainsBlocks(extent.start_block, extent.block_count)) {
    return absl::DataLossError(absl::StrCat("xfs inode ", inode(), ": the extent of file block ",
                                            extent.file_block, " has changed"));
  }
  const uint64_t end = extent.start_block + extent.block_count;
  uint64_t block = extent.start_block + (std::max(from, extent.file_block) - extent.file_block);
  while (block < end) {
    IOMAP_ASSIGN_OR_RETURN(const SharedRange around, shared_ranges_.At(block));
    const uint64_t part_begin = std::max(around.begin, extent.start_block);
    const uint64_t part_end = std::clamp(around.end, block + 1, end);
    Mapping mapping =
        MappingOf(Extent{.file_block = extent.file_block + (part_begin - extent.start_block),
                         .start_block = part_begin,
                         .block_count = static_cast<uint32_t>(part_end - part_begin)});
    mapping.flags = around.shared ? MappingFlag::kShared : MappingFlag::kNone;
    if (!append(mapping)) {
      return false;
    }
    block = part_end;
  }
  return true;
}

absl::StatusOr<size_t> File::MapForReport(const ByteRange& range, absl::Span<Mapping> out) {
  if (!inode_.may_share_blocks) {
    return MapForRead(range, out);
  }
  MappingWriter writer(range, out);
  const uint64_t first_block = range.offset >> volume_.superblock.block_log;
  const auto append = [&](const Mapping& mapping) { return writer.Append(mapping); };
  absl::Status status;
  IOMAP_RETURN_IF_ERROR(block_map_.ForEachExtent(first_block, [&](const Extent& extent) {
    if (extent.unwritten) {  // never shared: cloning writes nothing
      return append(MappingOf(extent));
    }
    const absl::StatusOr<bool> more = SplitByShares(extent, first_block, append);
    status.Update(more.status());
    return more.value_or(false);
  }));
  IOMAP_RETURN_IF_ERROR(status);
  writer.AppendHoleUntil(ByteRange::kMaxOffset);
  return writer.count();
}

absl::Status File::ReadInline(uint64_t offset, absl::Span<std::byte> out) {
  if (inode_.fork_format != ForkFormat::kLocal) {
    return absl::FailedPreconditionError(absl::StrCat("xfs inode ", inode(), ": no inline data"));
  }
  const absl::Span<const std::byte> local = inode_.local();
  if (offset > local.size() || out.size() > local.size() - offset) {
    return absl::OutOfRangeError(absl::StrCat("xfs inode ", inode(), ": ", out.size(),
                                              " bytes of inline data from ", offset, " on, it has ",
                                              local.size()));
  }
  std::memcpy(out.data(), local.data() + offset, out.size());
  return absl::OkStatus();
}

absl::StatusOr<const Directory*> File::directory() const {
  if (inode_.attributes.type != FileType::kDirectory) {
    return absl::FailedPreconditionError(absl::StrCat("xfs inode ", inode(), ": not a directory"));
  }
  return &directory_;
}

absl::StatusOr<std::string> File::ReadLink() const {
  if (inode_.attributes.type != FileType::kSymbolicLink) {
    return absl::FailedPreconditionError(
        absl::StrCat("xfs inode ", inode(), ": not a symbolic link"));
  }
  return ReadSymlink(volume_, inode_, block_map_);
}

}  // namespace iomap::xfs
