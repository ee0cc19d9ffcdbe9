#include "backends/ext4/directory.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/directory_entry.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "backends/ext4/hashed_directory.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

}  // namespace

absl::StatusOr<Directory> Directory::Open(Volume& volume, std::shared_ptr<File> file) {
  if (file->parsed().attributes.type != FileType::kDirectory) {
    return absl::FailedPreconditionError(
        absl::StrCat("ext4 inode ", file->inode(), ": not a directory"));
  }
  IOMAP_RETURN_IF_ERROR(file->CheckNotEncrypted());
  return Directory(volume, std::move(file));
}

Directory::Directory(Volume& volume, std::shared_ptr<File> file)
    : volume_(volume), file_(std::move(file)) {}

uint64_t Directory::block_count() const {
  return file_->parsed().attributes.size >> volume_.superblock().block_shift;
}

absl::StatusOr<Bytes> Directory::Block(uint64_t index) const {
  const uint64_t offset = index << volume_.superblock().block_shift;
  if (index >= block_count()) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", file_->inode(), ": directory block ",
                                            index, ", there are ", block_count()));
  }
  IOMAP_ASSIGN_OR_RETURN(const Mapping mapping,
                         MappingAt(*file_, &iomap::File::MapForRead, offset));
  if (mapping.type != MappingType::kMapped) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", file_->inode(), ", directory block ",
                                            index, ": ", MappingTypeName(mapping.type)));
  }
  const uint64_t block = mapping.AddressOf(offset) >> volume_.superblock().block_shift;
  IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, volume_.Block(block));
  const uint32_t owner = file_->parsed().number;
  const std::optional<uint64_t> known_index = volume_.VerifiedIndex(block, owner);
  if (!known_index.has_value()) {
    IOMAP_RETURN_IF_ERROR(CheckDirectoryBlock(volume_, file_->parsed(), index, bytes));
    volume_.NoteVerified(block, owner, index);
  } else if (*known_index != index) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", owner, ", directory block ", index,
                                            ": block ", block, " is also directory block ",
                                            *known_index));
  }
  return bytes;
}

absl::StatusOr<InodeNumber> Directory::LookUp(absl::string_view name) const {
  const Inode& inode = file_->parsed();
  absl::StatusOr<std::optional<InodeNumber>> found;
  if (inode.has_flag(kInodeInlineData)) {
    found = FindInline(name);
  } else if (backends::IsDotOrDotDot(name)) {
    found = FindInBlock(0, name);
  } else if (inode.has_flag(kInodeIndexed) && !inode.has_flag(kInodeCasefold) &&
             (volume_.superblock().features.compat & kCompatDirIndex) != 0) {
    found = FindByIndex(name);
  } else {
    found = FindByScan(name);
  }
  IOMAP_RETURN_IF_ERROR(found.status());
  if (!found->has_value()) {
    return absl::NotFoundError(absl::StrCat("ext4 inode ", inode.number, ": no entry ", name));
  }
  return **found;
}

absl::StatusOr<std::optional<InodeNumber>> Directory::FindInBlock(uint64_t index,
                                                                  absl::string_view name) const {
  IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, Block(index));
  std::optional<InodeNumber> found;
  IOMAP_RETURN_IF_ERROR(ForEachEntry(volume_, file_->parsed(),
                                     EntrySpace{bytes, index << volume_.superblock().block_shift},
                                     0, [&](const RawEntry& entry) {
                                       if (entry.name == name) {
                                         found = entry.inode;
                                       }
                                       return !found.has_value();
                                     }));
  return found;
}

absl::StatusOr<std::optional<InodeNumber>> Directory::FindByScan(absl::string_view name) const {
  for (uint64_t index = 0; index < block_count(); ++index) {
    IOMAP_ASSIGN_OR_RETURN(const std::optional<InodeNumber> found, FindInBlock(index, name));
    if (found.has_value()) {
      return found;
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<InodeNumber>> Directory::FindByIndex(absl::string_view name) const {
  IOMAP_ASSIGN_OR_RETURN(IndexWalk walk,
                         IndexWalk::Find(volume_, file_->parsed(), name,
                                         [this](uint64_t index) { return Block(index); }));
  while (true) {
    IOMAP_ASSIGN_OR_RETURN(const std::optional<InodeNumber> found, FindInBlock(walk.leaf(), name));
    if (found.has_value()) {
      return found;
    }
    IOMAP_ASSIGN_OR_RETURN(const bool goes_on, walk.NextLeafOfSameHash());
    if (!goes_on) {
      return std::nullopt;
    }
  }
}

absl::StatusOr<std::optional<InodeNumber>> Directory::FindInline(absl::string_view name) const {
  if (name == ".") {
    return file_->inode();
  }
  IOMAP_ASSIGN_OR_RETURN(const InlineData data, file_->inline_data());
  if (name == "..") {
    return backends::Load<Le32>(data.first.data());
  }
  std::optional<InodeNumber> found;
  IOMAP_RETURN_IF_ERROR(ReadInline(0, [&](const DirectoryEntry& entry) {
    if (entry.name == name) {
      found = entry.inode;
    }
    return !found.has_value();
  }));
  return found;
}

absl::Status Directory::ReadInline(uint64_t cookie,
                                   absl::FunctionRef<bool(const DirectoryEntry&)> entry) const {
  IOMAP_ASSIGN_OR_RETURN(const InlineData data, file_->inline_data());
  const uint64_t first_size = data.first.size();
  bool wants_more = true;
  for (const EntrySpace& space : {EntrySpace{data.first, 0}, EntrySpace{data.second, first_size}}) {
    const uint64_t least = space.offset == 0 ? kInlineParentBytes : 0;
    const uint64_t begin = std::max(least, cookie - std::min(cookie, space.offset));
    if (!wants_more || begin >= space.bytes.size()) {
      continue;
    }
    IOMAP_RETURN_IF_ERROR(
        ForEachEntry(volume_, file_->parsed(), space, begin, [&](const RawEntry& raw) {
          wants_more = entry({raw.name, raw.inode, raw.type, space.offset + raw.end});
          return wants_more;
        }));
  }
  return absl::OkStatus();
}

absl::Status Directory::Read(uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) const {
  if (file_->parsed().has_flag(kInodeInlineData)) {
    return ReadInline(cookie, entry);
  }
  const uint32_t shift = volume_.superblock().block_shift;
  bool wants_more = true;
  size_t begin = cookie & ((uint64_t{1} << shift) - 1);
  for (uint64_t index = cookie >> shift; wants_more && index < block_count(); ++index, begin = 0) {
    IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, Block(index));
    const EntrySpace space{bytes, index << shift};
    IOMAP_RETURN_IF_ERROR(
        ForEachEntry(volume_, file_->parsed(), space, begin, [&](const RawEntry& raw) {
          if (!backends::IsDotOrDotDot(raw.name)) {
            wants_more = entry({raw.name, raw.inode, raw.type, space.offset + raw.end});
          }
          return wants_more;
        }));
  }
  return absl::OkStatus();
}

}  // namespace iomap::ext4
