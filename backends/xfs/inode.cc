#include "backends/xfs/inode.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

template <typename... What>
absl::Status Damaged(InodeNumber number, const What&... what) {
  return absl::DataLossError(absl::StrCat("xfs inode ", number, ": ", what...));
}

// Two forms: seconds and nanoseconds, 32 bits each, or, with bigtime, nanoseconds since the
// earliest time that the first form has.
Timestamp DecodeTime(uint64_t stored, bool bigtime) {
  if (bigtime) {
    return Timestamp{
        static_cast<int64_t>(stored / kNanosecondsPerSecond) + std::numeric_limits<int32_t>::min(),
        static_cast<uint32_t>(stored % kNanosecondsPerSecond)};
  }
  return Timestamp{static_cast<int32_t>(stored >> 32), static_cast<uint32_t>(stored)};
}

absl::Status CheckIdentity(const Volume& volume, InodeNumber number, const DiskInode& disk,
                           absl::Span<const std::byte> bytes) {
  const Superblock& superblock = volume.superblock;
  if (disk.magic.get() != kInodeMagic) {
    return Damaged(number, "magic number ", absl::Hex(disk.magic.get(), absl::kZeroPad4));
  }
  const bool known_version =
      superblock.is_v5() ? disk.version == 3 : disk.version == 1 || disk.version == 2;
  if (!known_version) {
    return Damaged(number, "version ", disk.version, ", in a file system of version ",
                   superblock.version & kVersionNumberMask);
  }
  if (!superblock.is_v5()) {
    return absl::OkStatus();
  }
  if (!ChecksumMatches(bytes, offsetof(DiskInode, crc))) {
    return Damaged(number, "checksum is wrong");
  }
  if (disk.inode_number.get() != number) {
    return Damaged(number, "it says that it is inode ", disk.inode_number.get());
  }
  if (disk.uuid != superblock.meta_uuid) {
    return Damaged(number, "it carries the UUID of another file system");
  }
  return absl::OkStatus();
}

Attributes DecodeAttributes(const Superblock& superblock, InodeNumber number,
                            const DiskInode& disk) {
  const bool bigtime = disk.version == 3 && (disk.flags2.get() & kInodeFlag2Bigtime) != 0;
  Attributes attributes;
  attributes.inode = number;
  attributes.mode = disk.mode.get();
  attributes.type = FileTypeOfMode(attributes.mode);
  attributes.uid = disk.uid.get();
  attributes.gid = disk.gid.get();
  attributes.link_count = disk.version == 1 ? disk.link_count_v1.get() : disk.link_count.get();
  attributes.size = disk.size.get();
  attributes.blocks_512 = disk.block_count.get() << (superblock.block_log - 9);
  attributes.access_time = DecodeTime(disk.access_time.get(), bigtime);
  attributes.modification_time = DecodeTime(disk.modification_time.get(), bigtime);
  attributes.change_time = DecodeTime(disk.change_time.get(), bigtime);
  return attributes;
}

// What of the formats a file of `type` may have.
bool MayHaveFormat(FileType type, ForkFormat format) {
  switch (type) {
    case FileType::kRegular:
      return format == ForkFormat::kExtents || format == ForkFormat::kBtree;
    case FileType::kDirectory:
    case FileType::kSymbolicLink:
      return format == ForkFormat::kLocal || format == ForkFormat::kExtents ||
             format == ForkFormat::kBtree;
    case FileType::kUnknown:
      return false;
    default:
      return format == ForkFormat::kDevice;
  }
}

absl::Status CheckNumbers(const Superblock& superblock, const Inode& inode, const DiskInode& disk) {
  const Attributes& attributes = inode.attributes;
  if (attributes.type == FileType::kUnknown) {
    return Damaged(inode.number(), "mode ", absl::Hex(attributes.mode), " is no type of file");
  }
  if (!MayHaveFormat(attributes.type, inode.fork_format)) {
    return Damaged(inode.number(), "a ", FileTypeName(attributes.type), " whose data has format ",
                   disk.format);
  }
  if (attributes.size > ByteRange::kMaxOffset) {
    return Damaged(inode.number(), "size ", attributes.size);
  }
  // Blocks that are shared count once for each place: there may be more than the device has.
  if (inode.block_count > ByteRange::kMaxOffset >> superblock.block_log) {
    return Damaged(inode.number(), inode.block_count, " blocks");
  }
  for (const Timestamp& time :
       {attributes.access_time, attributes.modification_time, attributes.change_time}) {
    if (time.nanoseconds >= kNanosecondsPerSecond) {
      return Damaged(inode.number(), "a time with ", time.nanoseconds, " nanoseconds");
    }
  }
  if (inode.on_realtime_device && attributes.type != FileType::kRegular) {
    return Damaged(inode.number(), "a ", FileTypeName(attributes.type), " on the realtime device");
  }
  return absl::OkStatus();
}

// Where the data fork lies, and that it can hold what it is said to hold.
absl::Status LocateFork(Inode& inode, const DiskInode& disk) {
  inode.fork_begin = disk.version == 3 ? sizeof(DiskInode) : offsetof(DiskInode, crc);
  const uint32_t literal_bytes = static_cast<uint32_t>(inode.bytes.size()) - inode.fork_begin;
  const uint32_t attribute_fork = uint32_t{disk.fork_offset} * 8;
  if (attribute_fork >= literal_bytes) {
    return Damaged(inode.number(), "attribute fork at ", attribute_fork, " of ", literal_bytes,
                   " bytes");
  }
  inode.fork_bytes = attribute_fork == 0 ? literal_bytes : attribute_fork;
  if (inode.fork_format == ForkFormat::kLocal && inode.attributes.size > inode.fork_bytes) {
    return Damaged(inode.number(), "size ", inode.attributes.size, " in a data fork of ",
                   inode.fork_bytes, " bytes");
  }
  if (inode.fork_format == ForkFormat::kExtents &&
      inode.extent_count > inode.fork_bytes / sizeof(DiskExtent)) {
    return Damaged(inode.number(), inode.extent_count, " extents in a data fork of ",
                   inode.fork_bytes, " bytes");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Inode> ReadInode(const Volume& volume, InodeNumber number) {
  const Superblock& superblock = volume.superblock;
  if (!superblock.ContainsInode(number)) {
    return absl::NotFoundError(absl::StrCat("xfs inode ", number, ": no such number"));
  }
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> view,
                         volume.main_device().View(
                             ByteRange{superblock.AddressOfInode(number), superblock.inode_size}));
  Inode inode;
  inode.bytes.assign(view.begin(), view.end());
  const auto disk = backends::CopyOut<DiskInode>(inode.bytes.data());
  IOMAP_RETURN_IF_ERROR(CheckIdentity(volume, number, disk, inode.bytes));
  inode.attributes = DecodeAttributes(superblock, number, disk);
  inode.fork_format = static_cast<ForkFormat>(disk.format);
  inode.block_count = disk.block_count.get();
  const uint64_t flags2 = disk.version == 3 ? disk.flags2.get() : 0;
  if (inode.fork_format == ForkFormat::kExtents || inode.fork_format == ForkFormat::kBtree) {
    inode.extent_count =
        (flags2 & kInodeFlag2Nrext64) != 0 ? disk.big_extent_count.get() : disk.extent_count.get();
  }
  inode.on_realtime_device = (disk.flags.get() & kInodeFlagRealtime) != 0;
  inode.may_share_blocks =
      superblock.has_reflink() && (flags2 & kInodeFlag2Reflink) != 0 && !inode.on_realtime_device;
  IOMAP_RETURN_IF_ERROR(CheckNumbers(superblock, inode, disk));
  IOMAP_RETURN_IF_ERROR(LocateFork(inode, disk));
  return inode;
}

}  // namespace iomap::xfs
