#include "backends/ext4/file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/mapping_writer.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

// A link whose target fits into i_block lies there.
bool IsShortLink(const Inode& inode) {
  return inode.attributes.type == FileType::kSymbolicLink && !inode.has_flag(kInodeExtents) &&
         inode.attributes.size < kInodeBlockBytes;
}

bool HasContents(FileType type) {
  return type == FileType::kRegular || type == FileType::kDirectory ||
         type == FileType::kSymbolicLink;
}

}  // namespace

absl::StatusOr<std::shared_ptr<File>> File::Open(const Volume& volume, InodeNumber number) {
  IOMAP_RETURN_IF_ERROR(volume.CheckNotRefused(number));
  IOMAP_ASSIGN_OR_RETURN(Inode inode, ReadInode(volume, number));
  const std::shared_ptr<File> file(new File(volume, std::move(inode)));
  IOMAP_RETURN_IF_ERROR(file->OpenContents(volume));
  return file;
}

File::File(const Volume& volume, Inode inode)
    : dax::File(inode.number, volume.devices()), inode_(std::move(inode)) {}

absl::Status File::OpenContents(const Volume& volume) {
  if (!HasContents(inode_.attributes.type)) {
    return absl::OkStatus();
  }
  if (inode_.has_flag(kInodeInlineData)) {
    IOMAP_ASSIGN_OR_RETURN(const InlineData data, FindInlineData(inode_));
    const size_t room = data.first.size() + data.second.size();
    // A regular file may go on behind its inline data, as a hole: mke2fs -d makes such files.
    if (inode_.attributes.size > room && inode_.attributes.type != FileType::kRegular) {
      return absl::DataLossError(absl::StrCat("ext4 inode ", inode_.number, ": size ",
                                              inode_.attributes.size, ", ", room,
                                              " bytes are inside the inode"));
    }
    contents_ = data;
  } else if (IsShortLink(inode_)) {
    contents_ = InlineData{.first = inode_.block, .second = {}};
  } else if (inode_.has_flag(kInodeExtents)) {
    IOMAP_ASSIGN_OR_RETURN(contents_, ExtentTree::Open(volume, inode_));
  } else {
    contents_ = std::make_unique<BlockMap>(volume, inode_);
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> File::MapForRead(const ByteRange& range, absl::Span<Mapping> out) {
  IOMAP_RETURN_IF_ERROR(CheckNotEncrypted());
  if (const auto* tree = std::get_if<std::unique_ptr<ExtentTree>>(&contents_)) {
    return (*tree)->Map(range, out);
  }
  if (const auto* map = std::get_if<std::unique_ptr<BlockMap>>(&contents_)) {
    return (*map)->Map(range, out);
  }
  MappingWriter writer(range, out);
  if (const auto* data = std::get_if<InlineData>(&contents_)) {
    const uint64_t size = InlineBytes(*data);
    if (size > 0) {
      writer.Append(Mapping{.offset = 0,
                            .length = size,
                            .address = inode_.block_address,
                            .type = MappingType::kInline});
    }
  }
  writer.AppendHoleUntil(ByteRange::kMaxOffset);
  return writer.count();
}

absl::Status File::ReadInline(uint64_t offset, absl::Span<std::byte> out) {
  IOMAP_RETURN_IF_ERROR(CheckNotEncrypted());
  IOMAP_ASSIGN_OR_RETURN(const InlineData data, inline_data());
  const uint64_t size = InlineBytes(data);
  if (offset > size || out.size() > size - offset) {
    return absl::OutOfRangeError(absl::StrCat("ext4 inode ", inode_.number, ", offset ", offset,
                                              ": the inline data has ", size, " bytes"));
  }
  for (absl::Span<const std::byte> piece : {data.first, data.second}) {
    if (offset >= piece.size()) {
      offset -= piece.size();
      continue;
    }
    piece = piece.subspan(offset);
    const size_t count = std::min(piece.size(), out.size());
    std::memcpy(out.data(), piece.data(), count);
    out.remove_prefix(count);
    offset = 0;
  }
  return absl::OkStatus();
}

absl::StatusOr<InlineData> File::inline_data() const {
  if (const auto* data = std::get_if<InlineData>(&contents_)) {
    return *data;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("ext4 inode ", inode_.number, ": no data inside the inode"));
}

uint64_t File::InlineBytes(const InlineData& data) const {
  return std::min<uint64_t>(inode_.attributes.size, data.first.size() + data.second.size());
}

absl::Status File::CheckNotEncrypted() const {
  if (inode_.has_flag(kInodeEncrypted)) {
    return absl::FailedPreconditionError(
        absl::StrCat("ext4 inode ", inode_.number, ": encrypted, and there is no key"));
  }
  return absl::OkStatus();
}

}  // namespace iomap::ext4
