#include "backends/ext4/inode_record.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/group.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

constexpr size_t kChecksumLo = offsetof(DiskInode, checksum_lo);
constexpr size_t kChecksumHi = offsetof(DiskInode, checksum_hi);

bool HasWideChecksum(absl::Span<const std::byte> record) {
  return ExtraInodeBytes(record) >= kChecksumHi + sizeof(Le16) - kSmallInodeBytes;
}

std::array<std::byte, sizeof(Le32)> LittleEndianBytes(uint32_t value) {
  std::array<std::byte, sizeof(Le32)> bytes;
  backends::Store<Le32>(bytes.data(), value);
  return bytes;
}

}  // namespace

uint32_t InodeChecksumSeed(const Superblock& superblock, uint32_t number, uint32_t generation) {
  const uint32_t seed = backends::ExtendCrc32c(superblock.checksum_seed, LittleEndianBytes(number));
  return backends::ExtendCrc32c(seed, LittleEndianBytes(generation));
}

uint32_t ExtraInodeBytes(absl::Span<const std::byte> record) {
  return record.size() > kSmallInodeBytes
             ? backends::Load<Le16>(record.data() + offsetof(DiskInode, extra_isize))
             : 0;
}

uint32_t InodeRecordChecksum(uint32_t seed, absl::Span<const std::byte> record) {
  const bool has_hi = HasWideChecksum(record);
  uint32_t crc = backends::ExtendCrc32c(seed, record.first(kChecksumLo));
  crc = backends::ExtendCrc32cByZeros(crc, sizeof(Le16));
  absl::Span<const std::byte> rest = record.subspan(kChecksumLo + sizeof(Le16));
  if (has_hi) {
    const size_t before_hi = kChecksumHi - kChecksumLo - sizeof(Le16);
    crc = backends::ExtendCrc32c(crc, rest.first(before_hi));
    crc = backends::ExtendCrc32cByZeros(crc, sizeof(Le16));
    rest = rest.subspan(before_hi + sizeof(Le16));
  }
  crc = backends::ExtendCrc32c(crc, rest);
  return has_hi ? crc : crc & 0xFFFF;
}

absl::StatusOr<InodeRecord> InodeRecord::Read(const Volume& volume, uint64_t number) {
  const Superblock& superblock = volume.superblock();
  if (number == 0 || number > superblock.inode_count) {
    return absl::NotFoundError(
        absl::StrCat("ext4 inode ", number, ": the file system has 1 to ", superblock.inode_count));
  }
  const uint32_t index = static_cast<uint32_t>((number - 1) % superblock.inodes_per_group);
  IOMAP_ASSIGN_OR_RETURN(const Group group,
                         ReadGroup(volume, (number - 1) / superblock.inodes_per_group));
  const uint64_t address =
      (group.inode_table_block << superblock.block_shift) + uint64_t{index} * superblock.inode_size;
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> block,
                         volume.Block(address >> superblock.block_shift));
  return InodeRecord(static_cast<uint32_t>(number), address, index < group.initialised_inodes,
                     block.subspan(address % superblock.block_size, superblock.inode_size));
}

DiskInode InodeRecord::fields() const {
  DiskInode fields{};
  std::memcpy(&fields, bytes_.data(), std::min(sizeof fields, bytes_.size()));
  return fields;
}

void InodeRecord::set_fields(const DiskInode& fields) {
  std::memcpy(bytes_.data(), &fields, std::min(sizeof fields, bytes_.size()));
}

bool InodeRecord::is_in_use() const {
  const DiskInode disk = fields();
  return disk.link_count.get() != 0 && disk.mode.get() != 0;
}

absl::Status InodeRecord::Write(Volume& volume) {
  if (volume.superblock().has_metadata_checksums()) {
    const uint32_t checksum = InodeRecordChecksum(checksum_seed(volume.superblock()), bytes_);
    backends::Store<Le16>(bytes_.data() + kChecksumLo, static_cast<uint16_t>(checksum));
    if (HasWideChecksum(bytes_)) {
      backends::Store<Le16>(bytes_.data() + kChecksumHi, static_cast<uint16_t>(checksum >> 16));
    }
  }
  return volume.device().Write(address_, bytes_);
}

}  // namespace iomap::ext4
