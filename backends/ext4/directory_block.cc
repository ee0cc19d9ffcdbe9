#include "backends/ext4/directory_block.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/directory_entry.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::CopyOut;
using Bytes = absl::Span<const std::byte>;

constexpr size_t kLeastRecord = 12;  // a header and a name of one to four bytes
constexpr size_t kRootEntriesOffset = kIndexRootInfoOffset + sizeof(DiskIndexRootInfo);
constexpr size_t kNodeEntriesOffset = sizeof(DiskDirectoryEntry);

absl::Status Damaged(const Inode& directory, uint64_t offset, absl::string_view what,
                     uint64_t value, absl::string_view expected) {
  return absl::DataLossError(absl::StrCat("ext4 inode ", directory.number, ", directory byte ",
                                          offset, ": ", what, " ", value, ", ", expected));
}

FileType TypeOfEntry(const Volume& volume, uint8_t stored) {
  const bool has_types = (volume.superblock().features.incompat & kIncompatFiletype) != 0;
  return has_types ? backends::TypeOfEntry(stored) : FileType::kUnknown;
}

absl::Status CheckLinearTail(const Volume& volume, const Inode& directory, uint64_t offset,
                             Bytes bytes) {
  const size_t tail_offset = volume.superblock().block_size - sizeof(DiskDirectoryTail);
  const auto tail = CopyOut<DiskDirectoryTail>(bytes.data() + tail_offset);
  const bool is_tail = tail.zero.get() == 0 && tail.record_length.get() == sizeof tail &&
                       tail.zero_name_length == 0 && tail.file_type == kDirectoryTailType;
  if (!is_tail) {
    return Damaged(directory, offset + tail_offset, "tail of type", tail.file_type,
                   absl::StrCat("expected ", kDirectoryTailType));
  }
  const uint32_t computed =
      backends::ExtendCrc32c(directory.checksum_seed, bytes.first(tail_offset));
  if (computed != tail.checksum.get()) {
    return Damaged(directory, offset, "checksum", tail.checksum.get(),
                   absl::StrCat("computed ", computed));
  }
  return absl::OkStatus();
}

absl::Status CheckIndexTail(const Inode& directory, uint64_t index, uint64_t offset, Bytes bytes) {
  const size_t entries = IndexEntriesOffset(index);
  const auto counts = CopyOut<DiskIndexCountLimit>(bytes.data() + entries);
  const size_t tail_offset = entries + counts.limit.get() * sizeof(DiskIndexEntry);
  const size_t used = entries + counts.count.get() * sizeof(DiskIndexEntry);
  if (tail_offset + sizeof(DiskIndexTail) > bytes.size() || used > tail_offset) {
    return Damaged(directory, offset, "index entries", counts.count.get(),
                   absl::StrCat("limit ", counts.limit.get()));
  }
  const auto tail = CopyOut<DiskIndexTail>(bytes.data() + tail_offset);
  // Covered are the entries in use, the reserved word as it is, and the checksum's own place as
  // zeros.
  uint32_t computed = backends::ExtendCrc32c(directory.checksum_seed, bytes.first(used));
  computed = backends::ExtendCrc32c(computed, bytes.subspan(tail_offset, sizeof(Le32)));
  computed = backends::ExtendCrc32cByZeros(computed, sizeof(Le32));
  if (computed != tail.checksum.get()) {
    return Damaged(directory, offset, "index checksum", tail.checksum.get(),
                   absl::StrCat("computed ", computed));
  }
  return absl::OkStatus();
}

}  // namespace

size_t RecordLength(const DiskDirectoryEntry& entry, uint32_t block_size) {
  const uint32_t length = entry.record_length.get();
  if (block_size < 65536) {
    return length;
  }
  return length == 0 || length == 65535 ? block_size : (length & 0xFFFC) | (length & 3) << 16;
}

uint16_t EncodedRecordLength(size_t length, uint32_t block_size) {
  if (block_size < 65536) {
    return static_cast<uint16_t>(length);
  }
  return static_cast<uint16_t>(length == block_size ? 65535 : (length & 0xFFFC) | length >> 16);
}

absl::Status ForEachEntry(const Volume& volume, const Inode& directory, const EntrySpace& space,
                          size_t begin, absl::FunctionRef<bool(const RawEntry&)> entry) {
  const Superblock& superblock = volume.superblock();
  const Bytes bytes = space.bytes;
  for (size_t position = begin; position < bytes.size();) {
    const uint64_t place = space.offset + position;
    if (bytes.size() - position < sizeof(DiskDirectoryEntry)) {
      return Damaged(directory, place, "bytes left", bytes.size() - position, "an entry needs 8");
    }
    const auto disk = CopyOut<DiskDirectoryEntry>(bytes.data() + position);
    const size_t length = RecordLength(disk, superblock.block_size);
    if (length < kLeastRecord || length % 4 != 0 || length > bytes.size() - position) {
      return Damaged(directory, place, "record length", length,
                     absl::StrCat("a multiple of 4, 12 to ", bytes.size() - position));
    }
    const uint32_t inode = disk.inode.get();
    if (inode != 0) {
      if (inode > superblock.inode_count) {
        return Damaged(directory, place, "inode", inode,
                       absl::StrCat("at most ", superblock.inode_count));
      }
      if (disk.name_length == 0 || sizeof disk + disk.name_length > length) {
        return Damaged(directory, place, "name length", disk.name_length,
                       absl::StrCat("1 to ", length - sizeof disk));
      }
      const absl::string_view name(
          reinterpret_cast<const char*>(bytes.data() + position + sizeof disk), disk.name_length);
      if (!backends::IsEntryName(name)) {
        return Damaged(directory, place, "name with a slash or a zero byte, of length",
                       disk.name_length, "no name has them");
      }
      if (!entry({name, inode, TypeOfEntry(volume, disk.file_type), position + length})) {
        return absl::OkStatus();
      }
    }
    position += length;
  }
  return absl::OkStatus();
}

bool IsIndexBlock(const Inode& directory, uint64_t index, Bytes bytes) {
  if (!directory.has_flag(kInodeIndexed)) {
    return false;
  }
  const auto first = CopyOut<DiskDirectoryEntry>(bytes.data());
  const uint32_t block_size = static_cast<uint32_t>(bytes.size());
  return index == 0 || (first.inode.get() == 0 && RecordLength(first, block_size) == block_size);
}

size_t IndexEntriesOffset(uint64_t index) {
  return index == 0 ? kRootEntriesOffset : kNodeEntriesOffset;
}

absl::Status CheckDirectoryBlock(const Volume& volume, const Inode& directory, uint64_t index,
                                 Bytes bytes) {
  if (!volume.superblock().has_metadata_checksums()) {
    return absl::OkStatus();
  }
  const uint64_t offset = index << volume.superblock().block_shift;
  return IsIndexBlock(directory, index, bytes) ? CheckIndexTail(directory, index, offset, bytes)
                                               : CheckLinearTail(volume, directory, offset, bytes);
}

size_t LinearEntryBytes(const Superblock& superblock) {
  return superblock.block_size -
         (superblock.has_metadata_checksums() ? sizeof(DiskDirectoryTail) : 0);
}

void PutLinearTail(const Superblock& superblock, uint32_t checksum_seed,
                   absl::Span<std::byte> block) {
  if (!superblock.has_metadata_checksums()) {
    return;
  }
  const size_t offset = LinearEntryBytes(superblock);
  DiskDirectoryTail tail{};
  tail.record_length.set(sizeof tail);
  tail.file_type = kDirectoryTailType;
  tail.checksum.set(backends::ExtendCrc32c(checksum_seed, block.first(offset)));
  std::memcpy(block.data() + offset, &tail, sizeof tail);
}

}  // namespace iomap::ext4
