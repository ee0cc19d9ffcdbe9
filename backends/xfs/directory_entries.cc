#include "backends/xfs/directory_entries.h"

#include "absl/strings/str_cat.h"
#include "backends/directory_entry.h"
#include "backends/endian.h"
#include "backends/xfs/directory_format.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint32_t kEntryAlignment = 8;
constexpr uint32_t kTagBytes = sizeof(uint16_t);
constexpr uint32_t kBytesBeforeName = sizeof(uint64_t) + 1;  // inode number, name length

uint32_t DataHeaderBytes(const Superblock& superblock) {
  return superblock.is_v5() ? sizeof(DiskDirectoryDataHeader) : kDirectoryDataHeaderBytesV4;
}

// The length of an entry in a block.
uint32_t EntryBytes(const Superblock& superblock, uint32_t name_bytes) {
  const uint32_t bytes =
      kBytesBeforeName + name_bytes + (superblock.has_file_types() ? 1 : 0) + kTagBytes;
  return (bytes + kEntryAlignment - 1) & ~(kEntryAlignment - 1);
}

absl::Status CheckEntry(const Superblock& superblock, const RawEntry& entry) {
  if (!backends::IsEntryName(entry.name)) {
    return absl::DataLossError(
        absl::StrCat("entry at ", entry.offset, ": its name is empty or has a slash or zero byte"));
  }
  if (!superblock.ContainsInode(entry.inode)) {
    return absl::DataLossError(absl::StrCat("entry at ", entry.offset, ": it names inode ",
                                            entry.inode, ", which cannot exist"));
  }
  return absl::OkStatus();
}

absl::string_view NameAt(const std::byte* bytes, uint32_t name_bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes), name_bytes);
}

}  // namespace

absl::StatusOr<RawEntry> ParseEntry(const Superblock& superblock, absl::Span<const std::byte> bytes,
                                    uint32_t offset, uint32_t entries_end) {
  const std::byte* const at = bytes.data() + offset;
  const bool in_place = offset >= DataHeaderBytes(superblock) && offset % kEntryAlignment == 0 &&
                        offset < entries_end && entries_end <= bytes.size() &&
                        entries_end - offset >= EntryBytes(superblock, 1);
  if (!in_place) {
    return absl::DataLossError(absl::StrCat("no entry can be at ", offset));
  }
  const uint32_t name_bytes = static_cast<uint8_t>(at[sizeof(uint64_t)]);
  const uint32_t entry_bytes = EntryBytes(superblock, name_bytes);
  if (entry_bytes > entries_end - offset) {
    return absl::DataLossError(absl::StrCat("entry at ", offset, ": a name of ", name_bytes,
                                            " bytes passes the end, ", entries_end));
  }
  const uint32_t tag = backends::Load<Be16>(at + entry_bytes - kTagBytes);
  if (tag != offset) {
    return absl::DataLossError(absl::StrCat("entry at ", offset, ": it says that it is at ", tag));
  }
  RawEntry entry;
  entry.offset = offset;
  entry.name = NameAt(at + kBytesBeforeName, name_bytes);
  entry.inode = backends::Load<Be64>(at);
  if (superblock.has_file_types()) {
    entry.type = backends::TypeOfEntry(static_cast<uint8_t>(at[kBytesBeforeName + name_bytes]));
  }
  entry.end = offset + entry_bytes;
  IOMAP_RETURN_IF_ERROR(CheckEntry(superblock, entry));
  return entry;
}

absl::Status WalkEntries(const Superblock& superblock, absl::Span<const std::byte> bytes,
                         uint32_t entries_end, absl::FunctionRef<bool(const RawEntry&)> visit) {
  uint32_t offset = DataHeaderBytes(superblock);
  while (offset < entries_end) {
    if (entries_end - offset < kEntryAlignment) {
      return absl::DataLossError(absl::StrCat("the entries do not end at ", entries_end));
    }
    const std::byte* const at = bytes.data() + offset;
    if (backends::Load<Be16>(at) == kDirectoryFreeTag) {
      const uint32_t free_bytes = backends::Load<Be16>(at + sizeof(uint16_t));
      if (free_bytes == 0 || free_bytes % kEntryAlignment != 0 ||
          free_bytes > entries_end - offset) {
        return absl::DataLossError(
            absl::StrCat("a free range of ", free_bytes, " bytes at ", offset));
      }
      offset += free_bytes;
      continue;
    }
    IOMAP_ASSIGN_OR_RETURN(const RawEntry entry,
                           ParseEntry(superblock, bytes, offset, entries_end));
    if (!visit(entry)) {
      return absl::OkStatus();
    }
    offset = entry.end;
  }
  return absl::OkStatus();
}

absl::StatusOr<InodeNumber> WalkShortForm(const Superblock& superblock,
                                          absl::Span<const std::byte> local,
                                          absl::FunctionRef<bool(const RawEntry&)> visit) {
  size_t position = 0;
  const auto has = [&](size_t bytes) { return bytes <= local.size() - position; };
  if (!has(sizeof(DiskShortFormHeader))) {
    return absl::DataLossError("no header");
  }
  const auto header = backends::CopyOut<DiskShortFormHeader>(local.data());
  position += sizeof header;
  const size_t inode_bytes = header.big_count > 0 ? sizeof(uint64_t) : sizeof(uint32_t);
  const auto take_inode = [&] {
    const std::byte* const at = local.data() + position;
    position += inode_bytes;
    return inode_bytes == sizeof(uint64_t) ? backends::Load<Be64>(at) : backends::Load<Be32>(at);
  };
  if (!has(inode_bytes)) {
    return absl::DataLossError("no parent");
  }
  const InodeNumber parent = take_inode();
  if (!superblock.ContainsInode(parent)) {
    return absl::DataLossError(
        absl::StrCat("its parent is inode ", parent, ", which cannot exist"));
  }
  const size_t type_bytes = superblock.has_file_types() ? 1 : 0;
  uint32_t previous_end = 0;
  for (uint32_t i = 0; i < header.count; ++i) {
    constexpr size_t kBytesBeforeShortName = 1 + sizeof(uint16_t);
    const std::byte* const at = local.data() + position;
    if (!has(kBytesBeforeShortName)) {
      return absl::DataLossError(absl::StrCat("it ends before entry ", i, " of ", header.count));
    }
    const uint32_t name_bytes = static_cast<uint8_t>(at[0]);
    if (!has(kBytesBeforeShortName + name_bytes + type_bytes + inode_bytes)) {
      return absl::DataLossError(absl::StrCat("it ends in entry ", i, " of ", header.count));
    }
    RawEntry entry;
    entry.offset = backends::Load<Be16>(at + 1);
    entry.name = NameAt(at + kBytesBeforeShortName, name_bytes);
    if (superblock.has_file_types()) {
      entry.type =
          backends::TypeOfEntry(static_cast<uint8_t>(at[kBytesBeforeShortName + name_bytes]));
    }
    position += kBytesBeforeShortName + name_bytes + type_bytes;
    entry.inode = take_inode();
    entry.end = entry.offset + EntryBytes(superblock, name_bytes);
    // The offsets are what a reader goes on from: they must ascend.
    if (entry.offset < previous_end) {
      return absl::DataLossError(absl::StrCat("entry ", i, ": offset ", entry.offset,
                                              ", the one before ends at ", previous_end));
    }
    previous_end = entry.end;
    IOMAP_RETURN_IF_ERROR(CheckEntry(superblock, entry));
    if (!visit(entry)) {
      return parent;
    }
  }
  return parent;
}

}  // namespace iomap::xfs
