#include "backends/ext4/inode.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/ext4/inode_record.h"
#include "iomap/byte_range.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

constexpr uint32_t kNanosecondsPerSecond = 1'000'000'000;

absl::Status Damaged(uint64_t number, absl::string_view what, uint64_t value,
                     absl::string_view expected) {
  return absl::DataLossError(
      absl::StrCat("ext4 inode ", number, ": ", what, " ", value, ", ", expected));
}

absl::Status CheckChecksum(uint32_t number, uint32_t seed, Bytes record, const DiskInode& disk) {
  const bool has_hi =
      ExtraInodeBytes(record) >= offsetof(DiskInode, checksum_hi) + sizeof(Le16) - kSmallInodeBytes;
  const uint32_t stored =
      disk.checksum_lo.get() | (has_hi ? uint32_t{disk.checksum_hi.get()} << 16 : 0);
  const uint32_t computed = InodeRecordChecksum(seed, record);
  if (stored != computed) {
    return Damaged(number, "checksum", stored, absl::StrCat("computed ", computed));
  }
  return absl::OkStatus();
}

// `extra` carries two more bits of seconds and the nanoseconds.
Timestamp TimestampOf(Le32 seconds, Le32 extra, bool has_extra) {
  Timestamp time{.seconds = static_cast<int32_t>(seconds.get())};
  if (has_extra) {
    time.seconds += int64_t{extra.get() & 3} << 32;
    time.nanoseconds = extra.get() >> 2;
  }
  return time;
}

absl::StatusOr<Attributes> ParseAttributes(const Superblock& superblock, uint32_t number,
                                           uint32_t extra_bytes, const DiskInode& disk) {
  Attributes attributes{.inode = number,
                        .type = FileTypeOfMode(disk.mode.get()),
                        .mode = disk.mode.get(),
                        .uid = disk.uid_lo.get() | uint32_t{disk.uid_hi.get()} << 16,
                        .gid = disk.gid_lo.get() | uint32_t{disk.gid_hi.get()} << 16,
                        .link_count = disk.link_count.get(),
                        .size = disk.size_lo.get()};
  const bool is_wide = attributes.type == FileType::kRegular ||
                       (attributes.type == FileType::kDirectory &&
                        (superblock.features.incompat & kIncompatLargeDir) != 0);
  if (is_wide) {
    attributes.size |= uint64_t{disk.size_hi.get()} << 32;
  }
  if (attributes.size > ByteRange::kMaxOffset) {
    return Damaged(number, "size", attributes.size, "at most 2^63-1");
  }
  attributes.blocks_512 = disk.blocks_lo.get();
  if ((superblock.features.ro_compat & kRoCompatHugeFile) != 0) {
    attributes.blocks_512 |= uint64_t{disk.blocks_hi.get()} << 32;
    if ((disk.flags.get() & kInodeHugeFile) != 0) {
      attributes.blocks_512 <<= superblock.block_shift - 9;
    }
  }
  if (attributes.type == FileType::kRegular && (disk.flags.get() & kInodeInlineData) != 0) {
    // Linux counts the bytes inside the inode, so that nobody takes such a file for one large hole.
    attributes.blocks_512 += attributes.size / 512 + (attributes.size % 512 != 0 ? 1 : 0);
  }
  const auto has = [&](size_t field) {
    return extra_bytes >= field + sizeof(Le32) - kSmallInodeBytes;
  };
  attributes.access_time =
      TimestampOf(disk.atime, disk.atime_extra, has(offsetof(DiskInode, atime_extra)));
  attributes.modification_time =
      TimestampOf(disk.mtime, disk.mtime_extra, has(offsetof(DiskInode, mtime_extra)));
  attributes.change_time =
      TimestampOf(disk.ctime, disk.ctime_extra, has(offsetof(DiskInode, ctime_extra)));
  for (const Timestamp& time :
       {attributes.access_time, attributes.modification_time, attributes.change_time}) {
    if (time.nanoseconds >= kNanosecondsPerSecond) {
      return Damaged(number, "nanoseconds", time.nanoseconds, "below 10^9");
    }
  }
  return attributes;
}

absl::StatusOr<Inode> ParseInode(const Superblock& superblock, uint32_t number, Bytes record) {
  DiskInode disk{};
  std::memcpy(&disk, record.data(), std::min(sizeof disk, record.size()));
  const bool is_free = disk.link_count.get() == 0 || disk.mode.get() == 0;
  if (is_free) {
    return absl::NotFoundError(absl::StrCat("ext4 inode ", number, ": not in use"));
  }
  const uint32_t extra_bytes = ExtraInodeBytes(record);
  if (extra_bytes > record.size() - std::min<size_t>(record.size(), kSmallInodeBytes)) {
    return Damaged(number, "extra_isize", extra_bytes,
                   absl::StrCat("an inode has ", record.size(), " bytes"));
  }
  const uint32_t seed = InodeChecksumSeed(superblock, number, disk.generation.get());
  if (superblock.has_metadata_checksums()) {
    IOMAP_RETURN_IF_ERROR(CheckChecksum(number, seed, record, disk));
  }
  Inode inode{.number = number, .flags = disk.flags.get(), .checksum_seed = seed};
  IOMAP_ASSIGN_OR_RETURN(inode.attributes, ParseAttributes(superblock, number, extra_bytes, disk));
  if (inode.attributes.type == FileType::kUnknown) {
    return Damaged(number, "mode", inode.attributes.mode, "no file type has it");
  }
  std::copy(std::begin(disk.block), std::end(disk.block), inode.block.begin());
  if (record.size() > kSmallInodeBytes) {
    const Bytes behind = record.subspan(kSmallInodeBytes + extra_bytes);
    inode.in_inode_xattrs.assign(behind.begin(), behind.end());
  }
  return inode;
}

}  // namespace

absl::StatusOr<Inode> ReadInode(const Volume& volume, uint64_t number) {
  // A copy: what is checked here is what is used, whatever happens to the image meanwhile.
  IOMAP_ASSIGN_OR_RETURN(const InodeRecord record, InodeRecord::Read(volume, number));
  if (!record.is_initialised()) {
    return absl::NotFoundError(absl::StrCat("ext4 inode ", number, ": never used"));
  }
  IOMAP_ASSIGN_OR_RETURN(Inode inode,
                         ParseInode(volume.superblock(), record.number(), record.bytes()));
  inode.block_address = record.address() + offsetof(DiskInode, block);
  return inode;
}

}  // namespace iomap::ext4
