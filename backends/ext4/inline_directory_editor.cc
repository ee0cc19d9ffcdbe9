#include "backends/ext4/inline_directory_editor.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "backends/endian.h"
#include "backends/ext4/directory.h"
#include "backends/ext4/directory_block.h"
#include "backends/ext4/directory_records.h"
#include "backends/ext4/format.h"
#include "backends/ext4/inline_data.h"
#include "backends/ext4/inode.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

constexpr size_t kBlockOffset = offsetof(DiskInode, block);

}  // namespace

absl::StatusOr<InlineDirectoryEditor> InlineDirectoryEditor::Read(Volume& volume,
                                                                  uint32_t directory) {
  IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume, directory));
  InlineDirectoryEditor editor(volume, std::move(record));
  IOMAP_RETURN_IF_ERROR(editor.FindPieces());
  IOMAP_ASSIGN_OR_RETURN(const Inode inode, ReadInode(volume, directory));
  uint64_t offset = 0;
  for (const size_t piece : {0, 1}) {
    // What is checked is what is edited.
    const absl::Span<const std::byte> bytes =
        editor.record_.bytes().subspan(editor.pieces_[piece].offset, editor.pieces_[piece].size);
    const size_t begin = piece == 0 ? kInlineParentBytes : 0;
    if (begin < bytes.size()) {
      IOMAP_RETURN_IF_ERROR(
          ForEachEntry(volume, inode, EntrySpace{bytes, offset}, begin, [&](const RawEntry& entry) {
            const auto* const name = reinterpret_cast<const std::byte*>(entry.name.data());
            const auto head =
                backends::CopyOut<DiskDirectoryEntry>(name - sizeof(DiskDirectoryEntry));
            editor.names_.push_back(Name{std::string(entry.name), entry.inode, head.file_type});
            return true;
          }));
    }
    offset += bytes.size();
  }
  return editor;
}

absl::Status InlineDirectoryEditor::FindPieces() {
  IOMAP_ASSIGN_OR_RETURN(const Inode inode, ReadInode(*volume_, record_.number()));
  IOMAP_ASSIGN_OR_RETURN(const InlineData data, FindInlineData(inode));
  pieces_[0] = {.offset = kBlockOffset, .size = kInodeBlockBytes};
  pieces_[1] = {};
  if (!data.second.empty()) {
    // The space for attributes reaches to the end of the record.
    const size_t space = record_.bytes().size() - inode.in_inode_xattrs.size();
    pieces_[1] = {
        .offset = space + static_cast<size_t>(data.second.data() - inode.in_inode_xattrs.data()),
        .size = data.second.size()};
  }
  return absl::OkStatus();
}

absl::Span<std::byte> InlineDirectoryEditor::Run(size_t piece) {
  const size_t begin = piece == 0 ? kInlineParentBytes : 0;
  return record_.bytes().subspan(pieces_[piece].offset + begin, pieces_[piece].size - begin);
}

uint32_t InlineDirectoryEditor::parent() const {
  return backends::Load<Le32>(record_.bytes().data() + kBlockOffset);
}

uint32_t InlineDirectoryEditor::Find(absl::string_view name) const {
  const auto found = std::find_if(names_.begin(), names_.end(),
                                  [&](const Name& here) { return here.name == name; });
  return found == names_.end() ? 0 : found->inode;
}

absl::StatusOr<bool> InlineDirectoryEditor::Add(absl::string_view name, uint32_t inode,
                                                unsigned char type) {
  const Superblock& superblock = volume_->superblock();
  const bool has_types = (superblock.features.incompat & kIncompatFiletype) != 0;
  for (const size_t piece : {0, 1}) {
    if (InsertDirectoryRecord(Run(piece), superblock.block_size, name, inode,
                              has_types ? type : 0)) {
      IOMAP_RETURN_IF_ERROR(record_.Write(*volume_));
      return true;
    }
  }
  return false;
}

absl::Status InlineDirectoryEditor::Remove(absl::string_view name) {
  for (const size_t piece : {0, 1}) {
    RemoveDirectoryRecord(Run(piece), volume_->superblock().block_size, name);
  }
  return record_.Write(*volume_);
}

ByteRange InlineDirectoryEditor::place() const {
  return ByteRange{record_.address(), record_.bytes().size()};
}

absl::Status InlineDirectoryEditor::Create(Volume& volume, uint32_t directory, uint32_t parent) {
  IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(volume, directory));
  InlineDirectoryEditor editor(volume, std::move(record));
  IOMAP_RETURN_IF_ERROR(editor.FindPieces());
  backends::Store<Le32>(editor.record_.bytes().data() + kBlockOffset, parent);
  for (const size_t piece : {0, 1}) {
    const absl::Span<std::byte> run = editor.Run(piece);
    std::fill(run.begin(), run.end(), std::byte{0});
    if (run.size() >= sizeof(DiskDirectoryEntry)) {
      PutDirectoryRecord(run.data(), run.size(), volume.superblock().block_size, 0, 0, "");
    }
  }
  DiskInode fields = editor.record_.fields();
  fields.size_lo.set(static_cast<uint32_t>(editor.pieces_[0].size + editor.pieces_[1].size));
  fields.size_hi.set(0);
  editor.record_.set_fields(fields);
  return editor.record_.Write(volume);
}

}  // namespace iomap::ext4
