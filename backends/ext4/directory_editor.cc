#include "backends/ext4/directory_editor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/ext4/directory.h"
#include "backends/ext4/directory_block.h"
#include "backends/ext4/directory_records.h"
#include "backends/ext4/file.h"
#include "backends/ext4/hashed_directory.h"
#include "backends/ext4/inode_record.h"
#include "backends/ext4/name_folding.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

constexpr unsigned char kTypeDirectory = 2;

// "." and "..", the latter up to the end of the block.
void PutDots(const Superblock& superblock, uint32_t directory, uint32_t parent,
             std::vector<std::byte>& block) {
  const bool has_types = (superblock.features.incompat & kIncompatFiletype) != 0;
  const unsigned char type = has_types ? kTypeDirectory : 0;
  const size_t dot = DirectoryRecordBytes(1);
  PutDirectoryRecord(block.data(), dot, superblock.block_size, directory, type, ".");
  PutDirectoryRecord(block.data() + dot, LinearEntryBytes(superblock) - dot, superblock.block_size,
                     parent, type, "..");
}

// Where Linux begins to look for a block of a directory without any: at the start of its inode's
// flex group.
uint64_t GoalOf(const Superblock& superblock, uint32_t inode) {
  uint64_t group = (inode - 1) / superblock.inodes_per_group;
  constexpr uint32_t kLeastFlexShift = 2;
  const uint32_t shift = superblock.log_groups_per_flex;
  if (shift >= kLeastFlexShift && shift < 32) {
    group = group >> shift << shift;
  }
  return superblock.first_data_block + group * superblock.blocks_per_group;
}

}  // namespace

absl::StatusOr<DirectoryEditor> DirectoryEditor::Read(Volume& volume, BlockAllocator& allocator,
                                                      ExtentEditor& extents, uint32_t number) {
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, File::Open(volume, number));
  const Inode& inode = file->parsed();
  IOMAP_ASSIGN_OR_RETURN(const Directory directory, Directory::Open(volume, file));
  DirectoryEditor editor(volume, allocator, extents, number);
  editor.is_hashed_ = inode.has_flag(kInodeIndexed);
  editor.folds_case_ = inode.has_flag(kInodeCasefold);
  for (uint64_t index = 0; index < directory.block_count(); ++index) {
    IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, directory.Block(index));
    std::vector<std::byte> copy(bytes.begin(), bytes.end());  // what is checked is what is edited
    IOMAP_RETURN_IF_ERROR(ForEachEntry(volume, inode,
                                       EntrySpace{copy, index << volume.superblock().block_shift},
                                       0, [&](const RawEntry& entry) {
                                         editor.Note(entry.name, Name{entry.inode, index});
                                         return true;
                                       }));
    const bool is_index = IsIndexBlock(inode, index, copy);
    editor.blocks_.push_back(
        Block{.address = static_cast<uint64_t>(bytes.data() - volume.device().bytes().data()),
              .is_index = is_index,
              .bytes = std::move(copy)});
  }
  return editor;
}

void DirectoryEditor::Note(absl::string_view name, const Name& meaning) {
  names_.try_emplace(name, meaning);
  if (folds_case_) {
    folded_names_.try_emplace(FoldName(name), name);
  }
}

DirectoryEditor::Names::const_iterator DirectoryEditor::Lookup(absl::string_view name) const {
  const auto found = names_.find(name);
  if (found != names_.end() || !folds_case_) {
    return found;
  }
  const auto folded = folded_names_.find(FoldName(name));
  return folded == folded_names_.end() ? names_.end() : names_.find(folded->second);
}

uint32_t DirectoryEditor::Find(absl::string_view name) const {
  const auto found = Lookup(name);
  return found == names_.end() ? 0 : found->second.inode;
}

absl::StatusOr<ByteRange> DirectoryEditor::WriteBlock(Block& block) const {
  IOMAP_ASSIGN_OR_RETURN(const InodeRecord record, InodeRecord::Read(*volume_, directory_));
  PutLinearTail(volume_->superblock(), record.checksum_seed(volume_->superblock()),
                absl::MakeSpan(block.bytes));
  IOMAP_RETURN_IF_ERROR(volume_->device().Write(block.address, block.bytes));
  return ByteRange{block.address, block.bytes.size()};
}

absl::Span<std::byte> DirectoryEditor::EntriesOf(Block& block) const {
  return absl::MakeSpan(block.bytes).first(LinearEntryBytes(volume_->superblock()));
}

absl::StatusOr<ByteRange> DirectoryEditor::Remove(absl::string_view name) {
  const auto found = Lookup(name);
  Block& block = blocks_[found->second.block];
  const uint32_t block_size = volume_->superblock().block_size;
  RemoveDirectoryRecord(EntriesOf(block), block_size, found->first);
  if (folds_case_) {
    folded_names_.erase(FoldName(name));
  }
  names_.erase(found);
  block.most_room = block_size;
  return WriteBlock(block);
}

bool DirectoryEditor::Insert(Block& block, absl::string_view name, uint32_t inode,
                             unsigned char type) const {
  const uint32_t block_size = volume_->superblock().block_size;
  const size_t needed = DirectoryRecordBytes(name.size());
  if (needed > block.most_room) {
    return false;
  }
  if (InsertDirectoryRecord(EntriesOf(block), block_size, name, inode, type)) {
    return true;
  }
  block.most_room = needed - 1;
  return false;
}

absl::StatusOr<uint64_t> DirectoryEditor::HashedBlockOf(absl::string_view name) const {
  IOMAP_ASSIGN_OR_RETURN(const Inode inode, ReadInode(*volume_, directory_));
  IOMAP_ASSIGN_OR_RETURN(
      const IndexWalk walk,
      IndexWalk::Find(*volume_, inode, folds_case_ ? FoldName(name) : std::string(name),
                      [this](uint64_t index) -> absl::StatusOr<Bytes> {
                        if (index >= blocks_.size()) {
                          return absl::DataLossError(absl::StrCat("ext4 inode ", directory_,
                                                                  ": directory block ", index,
                                                                  ", there are ", blocks_.size()));
                        }
                        return Bytes(blocks_[index].bytes);
                      }));
  if (walk.leaf() >= blocks_.size() || blocks_[walk.leaf()].is_index) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", directory_, ": directory block ",
                                            walk.leaf(), " cannot hold names"));
  }
  return walk.leaf();
}

absl::StatusOr<ByteRange> DirectoryEditor::Add(absl::string_view name, uint32_t inode,
                                               unsigned char type) {
  const bool has_types = (volume_->superblock().features.incompat & kIncompatFiletype) != 0;
  size_t index = 0;
  bool inserted = false;
  const auto try_in = [&](size_t candidate) {
    index = candidate;
    inserted = Insert(blocks_[candidate], name, inode, has_types ? type : 0);
  };
  if (is_hashed_) {
    IOMAP_ASSIGN_OR_RETURN(const uint64_t leaf, HashedBlockOf(name));
    try_in(leaf);
    if (!inserted) {
      IOMAP_RETURN_IF_ERROR(MakeLinear());
    }
  } else {
    for (size_t i = 0; i < blocks_.size() && !inserted; ++i) {
      try_in(i);
    }
  }
  if (!inserted) {
    IOMAP_ASSIGN_OR_RETURN(const size_t appended, AppendBlock());
    try_in(appended);
  }
  Note(name, Name{inode, index});
  return WriteBlock(blocks_[index]);
}

absl::Status DirectoryEditor::MakeLinear() {
  const Superblock& superblock = volume_->superblock();
  for (size_t index = 0; index < blocks_.size(); ++index) {
    Block& block = blocks_[index];
    if (!block.is_index) {
      continue;
    }
    block.is_index = false;
    block.most_room = superblock.block_size;
    block.bytes.assign(block.bytes.size(), std::byte{0});
    if (index == 0) {
      PutDots(superblock, directory_, Find(".."), block.bytes);
    } else {
      PutDirectoryRecord(block.bytes.data(), LinearEntryBytes(superblock), superblock.block_size, 0,
                         0, "");
    }
    IOMAP_RETURN_IF_ERROR(WriteBlock(block).status());
  }
  is_hashed_ = false;
  IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(*volume_, directory_));
  DiskInode fields = record.fields();
  fields.flags.set(fields.flags.get() & ~kInodeIndexed);
  record.set_fields(fields);
  return record.Write(*volume_);
}

absl::StatusOr<size_t> DirectoryEditor::AppendBlock() {
  const Superblock& superblock = volume_->superblock();
  const uint64_t index = blocks_.size();
  const Extent* last = extents_->LastAtOrBefore(index);
  const uint64_t goal =
      last == nullptr ? GoalOf(superblock, directory_) : last->start + (index - last->file_block);
  IOMAP_ASSIGN_OR_RETURN(const uint64_t block, allocator_->Allocate(goal));
  IOMAP_RETURN_IF_ERROR(
      extents_->Put(Extent{.file_block = index, .start = block, .length = 1, .unwritten = false}));
  IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(*volume_, directory_));
  DiskInode fields = record.fields();
  const uint64_t size = (index + 1) << superblock.block_shift;
  fields.size_lo.set(static_cast<uint32_t>(size));
  fields.size_hi.set(static_cast<uint32_t>(size >> 32));
  record.set_fields(fields);
  IOMAP_RETURN_IF_ERROR(record.Write(*volume_));
  blocks_.push_back(Block{.address = block << superblock.block_shift,
                          .is_index = false,
                          .bytes = std::vector<std::byte>(superblock.block_size)});
  PutDirectoryRecord(blocks_.back().bytes.data(), LinearEntryBytes(superblock),
                     superblock.block_size, 0, 0, "");
  return index;
}

absl::Status DirectoryEditor::Create(Volume& volume, BlockAllocator& allocator,
                                     ExtentEditor& extents, uint32_t directory, uint32_t parent) {
  DirectoryEditor editor(volume, allocator, extents, directory);
  IOMAP_RETURN_IF_ERROR(extents.Remove(0, kFileBlocks));
  IOMAP_RETURN_IF_ERROR(editor.AppendBlock().status());
  PutDots(volume.superblock(), directory, parent, editor.blocks_.front().bytes);
  return editor.WriteBlock(editor.blocks_.front()).status();
}

}  // namespace iomap::ext4
