#include "backends/ext4/fast_commit_replay.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "backends/endian.h"
#include "backends/ext4/block_allocator.h"
#include "backends/ext4/directory_editor.h"
#include "backends/ext4/extent_editor.h"
#include "backends/ext4/fast_commit_format.h"
#include "backends/ext4/group.h"
#include "backends/ext4/inline_directory_editor.h"
#include "backends/ext4/inode_record.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::CopyOut;
using Bytes = absl::Span<const std::byte>;

Extent ExtentOf(const DiskFastCommitAddRange& range) {
  return ExtentAt(reinterpret_cast<const std::byte*>(&range.extent), 0);
}

// The number that a directory entry has for the type of such an inode.
unsigned char EntryTypeOf(const DiskInode& fields) {
  switch (FileTypeOfMode(fields.mode.get())) {
    case FileType::kRegular:
      return 1;
    case FileType::kDirectory:
      return 2;
    case FileType::kCharacterDevice:
      return 3;
    case FileType::kBlockDevice:
      return 4;
    case FileType::kFifo:
      return 5;
    case FileType::kSocket:
      return 6;
    case FileType::kSymbolicLink:
      return 7;
    case FileType::kUnknown:
      break;
  }
  return 0;
}

bool IsInline(const InodeRecord& record) {
  return (record.fields().flags.get() & kInodeInlineData) != 0;
}

// The root of a tree without extents.
void PutEmptyTree(DiskInode& fields) {
  DiskExtentHeader header{};
  header.magic.set(kExtentMagic);
  header.max.set((kInodeBlockBytes - sizeof header) / sizeof(DiskExtent));
  std::memset(fields.block, 0, sizeof fields.block);
  std::memcpy(fields.block, &header, sizeof header);
}

absl::Status CheckIsDirectory(const InodeRecord& record) {
  const FileType type = FileTypeOfMode(record.fields().mode.get());
  return type == FileType::kDirectory
             ? absl::OkStatus()
             : absl::DataLossError(absl::StrCat("ext4 fast commit, name in inode ", record.number(),
                                                ": a ", FileTypeName(type), ", not a directory"));
}

// A record of a name.
struct NameRecord {
  explicit NameRecord(Bytes value)
      : directory(CopyOut<DiskFastCommitEntry>(value.data()).directory.get()),
        inode(CopyOut<DiskFastCommitEntry>(value.data()).inode.get()),
        name(reinterpret_cast<const char*>(value.data()) + sizeof(DiskFastCommitEntry),
             value.size() - sizeof(DiskFastCommitEntry)) {}

  uint32_t directory;
  uint32_t inode;
  absl::string_view name;
};

class Replay {
 public:
  Replay(Volume& volume, uint32_t sequence, const backends::ReplayObserver& on_replay)
      : volume_(volume), sequence_(sequence), on_replay_(on_replay), allocator_(volume) {}

  absl::Status Run(absl::Span<const FastCommitRecord> records) {
    for (const FastCommitRecord& record : records) {
      if (record.tag == kFastCommitAddRange) {
        const Extent extent = ExtentOf(CopyOut<DiskFastCommitAddRange>(record.value.data()));
        allocator_.Exclude(extent.start, extent.length);
      }
    }
    for (const FastCommitRecord& record : records) {
      IOMAP_RETURN_IF_ERROR(ReplayOne(record));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReplayOne(const FastCommitRecord& record) {
    switch (record.tag) {
      case kFastCommitAddRange: {
        const auto range = CopyOut<DiskFastCommitAddRange>(record.value.data());
        return ChangeRange(range.inode.get(),
                           [&](ExtentEditor& extents) { return extents.Put(ExtentOf(range)); });
      }
      case kFastCommitDeleteRange: {
        const auto range = CopyOut<DiskFastCommitDeleteRange>(record.value.data());
        const uint64_t begin = range.file_block.get();
        return ChangeRange(range.inode.get(), [&](ExtentEditor& extents) {
          return extents.Remove(begin, begin + range.length.get());
        });
      }
      case kFastCommitCreate:
        return Create(NameRecord(record.value));
      case kFastCommitLink:
        return Link(NameRecord(record.value));
      case kFastCommitUnlink:
        return Unlink(NameRecord(record.value));
      default:
        return PutInode(CopyOut<DiskFastCommitInode>(record.value.data()).inode.get(),
                        record.value.subspan(sizeof(DiskFastCommitInode)));
    }
  }

  void Tell(absl::string_view what, const ByteRange& place) const {
    if (on_replay_) {
      on_replay_(
          {.sequence = sequence_, .what = absl::StrCat("fast commit, ", what), .place = place});
    }
  }
  ByteRange PlaceOf(const InodeRecord& record) const {
    return ByteRange{record.address(), volume_.superblock().inode_size};
  }

  // The record of an inode in use; NotFound otherwise.
  absl::StatusOr<InodeRecord> InUse(uint32_t inode) const {
    IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume_, inode));
    if (!record.is_initialised() || !record.is_in_use()) {
      return absl::NotFoundError(absl::StrCat("ext4 inode ", inode, ": not in use"));
    }
    return record;
  }

  // What cannot be changed here is refused when it is opened; null then.
  template <typename Editor>
  absl::StatusOr<Editor*> OrRefuse(uint32_t inode, absl::StatusOr<Editor*> editor) {
    if (!absl::IsUnimplemented(editor.status())) {
      return editor;
    }
    if (volume_.CheckNotRefused(inode).ok()) {
      volume_.Refuse(inode, editor.status().message());
      Tell(absl::StrCat("refused: ", editor.status().message()), {});
    }
    return static_cast<Editor*>(nullptr);
  }

  absl::StatusOr<ExtentEditor*> ExtentsOf(uint32_t inode) {
    return OrRefuse<ExtentEditor>(inode, FindExtents(inode));
  }

  absl::StatusOr<DirectoryEditor*> DirectoryOf(uint32_t inode) {
    return OrRefuse<DirectoryEditor>(inode, FindDirectory(inode));
  }

  absl::StatusOr<ExtentEditor*> FindExtents(uint32_t inode) {
    std::unique_ptr<ExtentEditor>& editor = extents_[inode];
    if (editor == nullptr) {
      IOMAP_ASSIGN_OR_RETURN(ExtentEditor read, ExtentEditor::Read(volume_, allocator_, inode));
      editor = std::make_unique<ExtentEditor>(std::move(read));
    }
    return editor.get();
  }

  absl::StatusOr<DirectoryEditor*> FindDirectory(uint32_t inode) {
    IOMAP_RETURN_IF_ERROR(volume_.CheckNotRefused(inode));
    std::unique_ptr<DirectoryEditor>& editor = directories_[inode];
    if (editor == nullptr) {
      IOMAP_ASSIGN_OR_RETURN(const InodeRecord record, InUse(inode));
      IOMAP_RETURN_IF_ERROR(CheckIsDirectory(record));
      IOMAP_ASSIGN_OR_RETURN(ExtentEditor* const extents, FindExtents(inode));
      IOMAP_ASSIGN_OR_RETURN(DirectoryEditor read,
                             DirectoryEditor::Read(volume_, allocator_, *extents, inode));
      read_directory_blocks_ += extents->data_blocks();
      if (read_directory_blocks_ > kMostDirectoryBlocks) {
        return absl::UnimplementedError(
            absl::StrCat("ext4 inode ", inode, ": a directory that fast commits change too often"));
      }
      editor = std::make_unique<DirectoryEditor>(std::move(read));
    }
    return editor.get();
  }

  template <typename Change>
  absl::Status ChangeRange(uint32_t inode, Change change) {
    const absl::StatusOr<InodeRecord> record = InUse(inode);
    if (!record.ok()) {
      return absl::IsNotFound(record.status()) ? absl::OkStatus() : record.status();
    }
    directories_.erase(inode);
    IOMAP_ASSIGN_OR_RETURN(ExtentEditor* const extents, ExtentsOf(inode));
    if (extents == nullptr) {
      return absl::OkStatus();
    }
    IOMAP_RETURN_IF_ERROR(change(*extents));
    Tell(absl::StrCat("range of inode ", inode), PlaceOf(*record));
    return absl::OkStatus();
  }

  // Takes over the record, but not where the contents lie, which the ranges say.
  absl::Status PutInode(uint32_t inode, Bytes fresh) {
    IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume_, inode));
    const uint32_t old_generation = record.fields().generation.get();
    constexpr size_t kBlock = offsetof(DiskInode, block);
    constexpr size_t kBehind = kBlock + kInodeBlockBytes;
    std::memcpy(record.bytes().data(), fresh.data(), kBlock);
    std::memcpy(record.bytes().data() + kBehind, fresh.data() + kBehind, fresh.size() - kBehind);
    DiskInode fields = record.fields();
    const bool has_extents = (fields.flags.get() & kInodeExtents) != 0;
    if (!has_extents) {
      if (IsInline(record)) {
        std::memcpy(fields.block, fresh.data() + kBlock, kInodeBlockBytes);
        extents_.erase(inode);
        directories_.erase(inode);
      }
    } else if (CopyOut<DiskExtentHeader>(fields.block).magic.get() != kExtentMagic) {
      PutEmptyTree(fields);
      extents_.erase(inode);
      directories_.erase(inode);
    }
    record.set_fields(fields);
    IOMAP_RETURN_IF_ERROR(record.Write(volume_));
    IOMAP_RETURN_IF_ERROR(MarkUsed(inode));
    if (fields.generation.get() != old_generation) {
      directories_.erase(inode);
      extents_.erase(inode);
    }
    if (has_extents && record.is_in_use()) {
      IOMAP_RETURN_IF_ERROR(CountBlocks(inode));
    }
    Tell(absl::StrCat("inode ", inode), PlaceOf(record));
    return absl::OkStatus();
  }

  absl::Status MarkUsed(uint32_t inode) {
    const uint32_t per_group = volume_.superblock().inodes_per_group;
    return InitialiseInodes(volume_, (inode - 1) / per_group, (inode - 1) % per_group + 1);
  }

  // As Linux does here, counts the blocks of the tree anew.
  absl::Status CountBlocks(uint32_t inode) {
    IOMAP_ASSIGN_OR_RETURN(ExtentEditor* const extents, FindExtents(inode));
    IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume_, inode));
    DiskInode fields = record.fields();
    const bool in_blocks = (fields.flags.get() & kInodeHugeFile) != 0;
    const uint64_t unit = in_blocks ? 1 : volume_.superblock().block_size / 512;
    const uint64_t count = (extents->data_blocks() + extents->node_blocks()) * unit;
    fields.blocks_lo.set(static_cast<uint32_t>(count));
    fields.blocks_hi.set(static_cast<uint16_t>(count >> 32));
    record.set_fields(fields);
    return record.Write(volume_);
  }

  absl::Status SetLinks(uint32_t inode, uint32_t links) {
    IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume_, inode));
    DiskInode fields = record.fields();
    fields.link_count.set(static_cast<uint16_t>(links));
    record.set_fields(fields);
    return record.Write(volume_);
  }

  // An inode without links is gone, with its blocks: its number may be used again.
  absl::Status DropLink(uint32_t inode) {
    IOMAP_ASSIGN_OR_RETURN(const InodeRecord record, InUse(inode));
    const DiskInode fields = record.fields();
    const uint32_t links = fields.link_count.get() - 1u;
    if (links == 0 && (fields.flags.get() & kInodeExtents) != 0) {
      IOMAP_ASSIGN_OR_RETURN(ExtentEditor* const extents, FindExtents(inode));
      IOMAP_RETURN_IF_ERROR(extents->Remove(0, kFileBlocks));
    }
    if (links == 0) {
      directories_.erase(inode);
      extents_.erase(inode);
    }
    return SetLinks(inode, links);
  }

  void TellOfName(const NameRecord& name, absl::string_view how, const ByteRange& place) const {
    Tell(absl::StrCat("name in inode ", name.directory, " for inode ", name.inode, how), place);
  }

  static absl::Status CheckName(const NameRecord& name) {
    return name.name.find('/') == name.name.npos && name.name.find('\0') == name.name.npos
               ? absl::OkStatus()
               : absl::DataLossError(absl::StrCat("ext4 fast commit, name in inode ",
                                                  name.directory, " for inode ", name.inode,
                                                  ": a slash or a zero byte, no name has them"));
  }

  // Gives a directory inside its inode, whose names have no room there any more, a block for them.
  absl::Status MoveToBlocks(const InlineDirectoryEditor& inside, uint32_t inode) {
    IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume_, inode));
    DiskInode fields = record.fields();
    fields.flags.set((fields.flags.get() & ~kInodeInlineData) | kInodeExtents);
    PutEmptyTree(fields);
    record.set_fields(fields);
    IOMAP_RETURN_IF_ERROR(record.Write(volume_));
    extents_.erase(inode);
    directories_.erase(inode);
    IOMAP_ASSIGN_OR_RETURN(ExtentEditor* const extents, FindExtents(inode));
    IOMAP_RETURN_IF_ERROR(
        DirectoryEditor::Create(volume_, allocator_, *extents, inode, inside.parent()));
    IOMAP_ASSIGN_OR_RETURN(DirectoryEditor* const names, FindDirectory(inode));
    for (const InlineDirectoryEditor::Name& name : inside.names()) {
      IOMAP_RETURN_IF_ERROR(names->Add(name.name, name.inode, name.type).status());
    }
    return CountBlocks(inode);
  }

  // Makes a new inode an empty directory.
  absl::Status MakeDirectory(const InodeRecord& record, uint32_t parent) {
    const uint32_t inode = record.number();
    if (IsInline(record)) {
      return InlineDirectoryEditor::Create(volume_, inode, parent);
    }
    directories_.erase(inode);
    IOMAP_ASSIGN_OR_RETURN(ExtentEditor* const extents, ExtentsOf(inode));
    return extents == nullptr
               ? absl::OkStatus()
               : DirectoryEditor::Create(volume_, allocator_, *extents, inode, parent);
  }

  // False when the name was there already, or there is no such directory.
  absl::StatusOr<bool> AddName(const NameRecord& name, const DiskInode& target) {
    const absl::StatusOr<InodeRecord> directory = InUse(name.directory);
    if (!directory.ok()) {
      return absl::IsNotFound(directory.status()) ? absl::StatusOr<bool>(false)
                                                  : directory.status();
    }
    if (IsInline(*directory)) {
      IOMAP_RETURN_IF_ERROR(CheckIsDirectory(*directory));
      IOMAP_ASSIGN_OR_RETURN(InlineDirectoryEditor inside,
                             InlineDirectoryEditor::Read(volume_, name.directory));
      if (inside.Find(name.name) != 0) {
        return false;
      }
      IOMAP_RETURN_IF_ERROR(CheckName(name));
      IOMAP_ASSIGN_OR_RETURN(const bool has_room,
                             inside.Add(name.name, name.inode, EntryTypeOf(target)));
      if (has_room) {
        TellOfName(name, ", inside the directory's inode", inside.place());
        return true;
      }
      IOMAP_RETURN_IF_ERROR(MoveToBlocks(inside, name.directory));
    }
    IOMAP_ASSIGN_OR_RETURN(DirectoryEditor* const names, DirectoryOf(name.directory));
    if (names == nullptr) {
      return true;  // what Linux would have done, as far as the inode is concerned
    }
    if (names->Find(name.name) != 0) {
      return false;
    }
    IOMAP_RETURN_IF_ERROR(CheckName(name));
    IOMAP_ASSIGN_OR_RETURN(const ByteRange place,
                           names->Add(name.name, name.inode, EntryTypeOf(target)));
    TellOfName(name, "", place);
    return true;
  }

  absl::Status Create(const NameRecord& name) {
    IOMAP_RETURN_IF_ERROR(InodeRecord::Read(volume_, name.inode).status());
    IOMAP_RETURN_IF_ERROR(MarkUsed(name.inode));
    absl::StatusOr<InodeRecord> record = InUse(name.inode);
    if (!record.ok()) {
      return absl::DataLossError(absl::StrCat("ext4 fast commit, name in inode ", name.directory,
                                              ": ", record.status().message()));
    }
    if (FileTypeOfMode(record->fields().mode.get()) == FileType::kDirectory) {
      IOMAP_RETURN_IF_ERROR(MakeDirectory(*record, name.directory));
    }
    IOMAP_RETURN_IF_ERROR(AddName(name, record->fields()).status());
    return SetLinks(name.inode, 1);
  }

  absl::Status Link(const NameRecord& name) {
    const absl::StatusOr<InodeRecord> record = InUse(name.inode);
    if (!record.ok()) {
      return absl::IsNotFound(record.status()) ? absl::OkStatus() : record.status();
    }
    IOMAP_ASSIGN_OR_RETURN(const bool added, AddName(name, record->fields()));
    return added ? SetLinks(name.inode, record->fields().link_count.get() + 1u) : absl::OkStatus();
  }

  absl::Status Unlink(const NameRecord& name) {
    for (const uint32_t inode : {name.inode, name.directory}) {
      const absl::Status found = InUse(inode).status();
      if (!found.ok()) {
        return absl::IsNotFound(found) ? absl::OkStatus() : found;
      }
    }
    IOMAP_ASSIGN_OR_RETURN(const InodeRecord directory, InodeRecord::Read(volume_, name.directory));
    if (IsInline(directory)) {
      IOMAP_RETURN_IF_ERROR(CheckIsDirectory(directory));
      IOMAP_ASSIGN_OR_RETURN(InlineDirectoryEditor inside,
                             InlineDirectoryEditor::Read(volume_, name.directory));
      return UnlinkFrom(inside, name, [&]() -> absl::StatusOr<ByteRange> {
        IOMAP_RETURN_IF_ERROR(inside.Remove(name.name));
        return inside.place();
      });
    }
    IOMAP_ASSIGN_OR_RETURN(DirectoryEditor* const names, DirectoryOf(name.directory));
    if (names == nullptr) {
      return DropLink(name.inode);  // the name was there, as far as can be told
    }
    return UnlinkFrom(*names, name, [&] { return names->Remove(name.name); });
  }

  template <typename Editor, typename Removal>
  absl::Status UnlinkFrom(const Editor& names, const NameRecord& name, Removal remove) {
    const uint32_t target = names.Find(name.name);
    if (target == 0) {
      return absl::OkStatus();
    }
    ByteRange place;
    if (target == name.inode) {  // not so when the name has gone to another inode meanwhile
      IOMAP_ASSIGN_OR_RETURN(place, remove());
    }
    IOMAP_RETURN_IF_ERROR(DropLink(name.inode));
    TellOfName(name, ", unlinked", place);
    return absl::OkStatus();
  }

  // A range that changes makes the directory be read again: a log that does so time and again is
  // not Linux's.
  static constexpr uint64_t kMostDirectoryBlocks = uint64_t{1} << 18;

  Volume& volume_;
  const uint32_t sequence_;
  const backends::ReplayObserver& on_replay_;
  BlockAllocator allocator_;
  uint64_t read_directory_blocks_ = 0;
  absl::flat_hash_map<uint32_t, std::unique_ptr<ExtentEditor>> extents_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<DirectoryEditor>> directories_;  // use extents_
};

}  // namespace

absl::Status ReplayFastCommits(Volume& volume, absl::Span<const FastCommitRecord> records,
                               uint32_t sequence, const backends::ReplayObserver& on_replay) {
  return Replay(volume, sequence, on_replay).Run(records);
}

}  // namespace iomap::ext4
