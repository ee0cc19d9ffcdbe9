#include "backends/ext4/orphans.h"

#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/endian.h"
#include "backends/ext4/block_allocator.h"
#include "backends/ext4/extent_editor.h"
#include "backends/ext4/file.h"
#include "backends/ext4/format.h"
#include "backends/ext4/inode_record.h"
#include "backends/ext4/pointer_truncation.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

// The list: each inode's time of deletion is the number of the next one.
std::vector<uint32_t> ListedOrphans(const Volume& volume) {
  std::vector<uint32_t> orphans;
  absl::flat_hash_set<uint32_t> seen;
  uint32_t number = volume.superblock().last_orphan;
  while (number >= volume.superblock().first_inode && seen.insert(number).second) {
    const absl::StatusOr<InodeRecord> record = InodeRecord::Read(volume, number);
    if (!record.ok() || !record->is_initialised()) {
      break;
    }
    orphans.push_back(number);
    number = record->fields().dtime.get();
  }
  return orphans;
}

// One block of the orphan file: inode numbers, 0 where there is none.
absl::Status ReadOrphanBlock(const Volume& volume, const Inode& file, uint64_t block,
                             std::vector<uint32_t>& orphans) {
  const auto damaged = [&](absl::string_view what, uint64_t value, absl::string_view expected) {
    return absl::DataLossError(absl::StrCat("ext4 orphan file, inode ", file.number, ", block ",
                                            block, ": ", what, " ", value, ", ", expected));
  };
  IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, volume.Block(block));
  const size_t tail_offset = bytes.size() - sizeof(DiskOrphanTail);
  const auto tail = backends::CopyOut<DiskOrphanTail>(bytes.data() + tail_offset);
  if (tail.magic.get() != kOrphanMagic) {
    return damaged("magic", tail.magic.get(), absl::StrCat("not ", kOrphanMagic));
  }
  if (volume.superblock().has_metadata_checksums()) {
    std::byte place[sizeof(Le64)];
    backends::Store<Le64>(place, block);
    uint32_t computed = backends::ExtendCrc32c(file.checksum_seed, place);
    computed = backends::ExtendCrc32c(computed, bytes.first(tail_offset));
    if (computed != tail.checksum.get()) {
      return damaged("checksum", tail.checksum.get(), absl::StrCat("computed ", computed));
    }
  }
  for (size_t offset = 0; offset + sizeof(Le32) <= tail_offset; offset += sizeof(Le32)) {
    if (const uint32_t number = backends::Load<Le32>(bytes.data() + offset); number != 0) {
      orphans.push_back(number);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadOrphanFile(const Volume& volume, std::vector<uint32_t>& orphans) {
  const Superblock& superblock = volume.superblock();
  if (superblock.orphan_file_inode == 0) {
    return absl::OkStatus();
  }
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                         File::Open(volume, superblock.orphan_file_inode));
  const uint64_t size = file->parsed().attributes.size;
  return ForEachMapping(
      *file, &iomap::File::MapForRead, ByteRange{0, size},
      [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
        if (mapping.type != MappingType::kMapped) {
          return absl::DataLossError(absl::StrCat("ext4 orphan file, inode ", file->inode(),
                                                  ", byte ", part.offset, ": ",
                                                  MappingTypeName(mapping.type)));
        }
        for (uint64_t offset = part.offset; offset + superblock.block_size <= part.end();
             offset += superblock.block_size) {
          IOMAP_RETURN_IF_ERROR(ReadOrphanBlock(volume, file->parsed(),
                                                mapping.AddressOf(offset) >> superblock.block_shift,
                                                orphans));
        }
        return Walk::kContinue;
      });
}

// Takes `count` blocks from what the inode says it has.
void SubtractBlocks(const Superblock& superblock, uint64_t count, DiskInode& fields) {
  const bool in_blocks = (fields.flags.get() & kInodeHugeFile) != 0;
  const uint64_t unit = in_blocks ? 1 : superblock.block_size / 512;
  const uint64_t all = fields.blocks_lo.get() | uint64_t{fields.blocks_hi.get()} << 32;
  const uint64_t left = all - std::min(all, count * unit);
  fields.blocks_lo.set(static_cast<uint32_t>(left));
  fields.blocks_hi.set(static_cast<uint16_t>(left >> 32));
}

// Zeros what the block that holds the end of file has behind it.
absl::Status ZeroTail(Volume& volume, uint32_t number, uint64_t size) {
  const uint32_t block_size = volume.superblock().block_size;
  if (size % block_size == 0) {
    return absl::OkStatus();
  }
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, File::Open(volume, number));
  IOMAP_ASSIGN_OR_RETURN(const Mapping mapping, MappingAt(*file, &iomap::File::MapForRead, size));
  if (mapping.type != MappingType::kMapped) {
    return absl::OkStatus();
  }
  const std::vector<std::byte> zeros(block_size - size % block_size);
  return volume.device().Write(mapping.AddressOf(size), zeros);
}

absl::Status Truncate(Volume& volume, InodeRecord record) {
  const Superblock& superblock = volume.superblock();
  IOMAP_ASSIGN_OR_RETURN(const Inode inode, ReadInode(volume, record.number()));
  const uint64_t size = inode.attributes.size;
  const uint64_t end = (size >> superblock.block_shift) + (size % superblock.block_size != 0);
  uint64_t freed = 0;
  if (inode.has_flag(kInodeExtents)) {
    BlockAllocator allocator(volume);
    IOMAP_ASSIGN_OR_RETURN(ExtentEditor editor,
                           ExtentEditor::Read(volume, allocator, record.number()));
    const uint64_t before = editor.data_blocks() + editor.node_blocks();
    IOMAP_RETURN_IF_ERROR(editor.Remove(end, kFileBlocks));
    freed = before - (editor.data_blocks() + editor.node_blocks());
    IOMAP_ASSIGN_OR_RETURN(record, InodeRecord::Read(volume, record.number()));
  } else {
    IOMAP_ASSIGN_OR_RETURN(freed, TruncatePointers(volume, record, end));
  }
  DiskInode fields = record.fields();
  SubtractBlocks(superblock, freed, fields);
  record.set_fields(fields);
  IOMAP_RETURN_IF_ERROR(record.Write(volume));
  return ZeroTail(volume, record.number(), size);
}

// True for what has blocks that a truncation can take.
bool CanBeCut(const DiskInode& fields) {
  const FileType type = FileTypeOfMode(fields.mode.get());
  const bool has_blocks =
      type == FileType::kRegular || type == FileType::kDirectory ||
      (type == FileType::kSymbolicLink && (fields.flags.get() & kInodeExtents) != 0);
  return has_blocks && (fields.flags.get() & kInodeInlineData) == 0;
}

}  // namespace

absl::StatusOr<bool> ProcessOrphans(Volume& volume, const backends::ReplayObserver& on_replay) {
  if ((volume.superblock().state & kStateError) != 0) {
    return false;
  }
  std::vector<uint32_t> orphans = ListedOrphans(volume);
  IOMAP_RETURN_IF_ERROR(ReadOrphanFile(volume, orphans));
  absl::flat_hash_set<uint32_t> done;
  for (const uint32_t number : orphans) {
    const absl::StatusOr<InodeRecord> record = InodeRecord::Read(volume, number);
    if (!record.ok() || !record->is_initialised() || !done.insert(number).second) {
      continue;
    }
    backends::ReplayAction action;
    if (record->is_in_use() && CanBeCut(record->fields())) {
      const absl::Status cut = Truncate(volume, *record);
      if (!cut.ok()) {
        // The file is damaged, and says so to who opens it; the others are not.
        action.what = absl::StrCat("orphan inode ", number, ", not cut: ", cut.message());
      } else {
        action.what = absl::StrCat("orphan inode ", number, ", cut to its size");
        action.place = ByteRange{record->address(), volume.superblock().inode_size};
      }
    } else {
      action.what = absl::StrCat("orphan inode ", number, ", without links");
    }
    if (on_replay) {
      on_replay(action);
    }
  }
  return !done.empty();
}

}  // namespace iomap::ext4
