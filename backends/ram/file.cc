#include "backends/ram/file.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/mapping_writer.h"
#include "iomap/scheduler.h"
#include "iomap/status_macros.h"

namespace iomap::ram {
namespace {

Mapping MappingOf(const Extent& extent, uint8_t device) {
  return Mapping{.offset = extent.offset,
                 .length = extent.length,
                 .address = extent.address,
                 .type = extent.unwritten ? MappingType::kUnwritten : MappingType::kMapped,
                 .device = device};
}

Mapping InlineMapping(const Inode& inode) {
  return Mapping{.offset = 0, .length = inode.inline_data.size(), .type = MappingType::kInline};
}

}  // namespace

// What a write asked for: what was there, and what is to come in its place. Nothing of the inode
// changes before Commit.
class File::Change : public Reservation {
 public:
  // `before`: the extents of the range when the mapping was made. `fresh`: blocks that this
  // reservation owns, or no bytes.
  Change(File& file, std::vector<Extent> before, const Extent& after, const ByteRange& fresh,
         Growth growth)
      : file_(file), before_(std::move(before)), after_(after), fresh_(fresh), growth_(growth) {}

  ~Change() override {
    if (!fresh_.empty()) {
      file_.inode_->blocks->RemoveUser(fresh_);
    }
  }

  absl::Status Commit(const ByteRange& written) override {
    const ByteRange blocks = file_.Blocks(written).Intersect(after_.range());
    Inode& inode = *file_.inode_;
    const WriterLock lock(inode.map);
    if (inode.extents.In(after_.range()) != before_) {
      return absl::AbortedError(absl::StrCat("inode ", inode.number, ", offset ", written.offset,
                                             ": mapped otherwise meanwhile"));
    }
    if (!fresh_.empty()) {
      file_.Free(blocks);
      inode.extents.Insert(after_.Slice(blocks));
      TakeOver(after_.Slice(blocks).place());
    } else if (before_.front().unwritten) {
      inode.extents.Remove(blocks);
      inode.extents.Insert(after_.Slice(blocks));
    }
    if (growth_ == Growth::kAllowed) {
      inode.size = std::max(inode.size, written.end());
    }
    return absl::OkStatus();
  }

 private:
  // `place` is the file's from now on; the rest is given back.
  void TakeOver(const ByteRange& place) {
    const ByteRange all = std::exchange(fresh_, ByteRange());
    file_.inode_->blocks->RemoveUser(ByteRange::Between(all.offset, place.offset));
    file_.inode_->blocks->RemoveUser(ByteRange::Between(place.end(), all.end()));
  }

  File& file_;  // whose lock its asker holds
  const std::vector<Extent> before_;
  const Extent after_;
  ByteRange fresh_;
  const Growth growth_;
};

File::File(std::shared_ptr<Inode> inode, const dax::DeviceSet& devices,
           const dax::FileOptions& options)
    : dax::File(inode->number, devices, options), inode_(std::move(inode)) {}

absl::StatusOr<Attributes> File::attributes() {
  const ReaderLock lock(inode_->map);
  Attributes attributes{.inode = inode_->number,
                        .type = FileTypeOfMode(inode_->mode),
                        .mode = inode_->mode,
                        .link_count = inode_->link_count,
                        .size = inode_->size,
                        .blocks_512 = inode_->extents.allocated_bytes() / 512};
  return attributes;
}

// ---- reading ----

absl::StatusOr<size_t> File::MapForRead(const ByteRange& range, absl::Span<Mapping> out) {
  const ReaderLock lock(inode_->map);
  MappingWriter writer(range, out);
  if (!inode_->inline_data.empty() && !writer.Append(InlineMapping(*inode_))) {
    return writer.count();
  }
  for (std::optional<Extent> extent = inode_->extents.AtOrAfter(range.offset);
       extent.has_value() && extent->offset < range.end();
       extent = inode_->extents.AtOrAfter(extent->end())) {
    if (!writer.Append(MappingOf(*extent, inode_->device))) {
      return writer.count();
    }
  }
  writer.AppendHoleUntil(range.end());
  return writer.count();
}

absl::StatusOr<size_t> File::MapForReport(const ByteRange& range, absl::Span<Mapping> out) {
  const ReaderLock lock(inode_->map);
  MappingWriter writer(range, out);
  if (!inode_->inline_data.empty() && !writer.Append(InlineMapping(*inode_))) {
    return writer.count();
  }
  for (std::optional<Extent> extent = inode_->extents.AtOrAfter(range.offset);
       extent.has_value() && extent->offset < range.end();) {
    const ram::Blocks::Sharing sharing = inode_->blocks->SharingAt(extent->place());
    Mapping mapping = MappingOf(*extent, inode_->device);
    mapping.length = sharing.length;
    mapping.flags = sharing.shared ? MappingFlag::kShared : MappingFlag::kNone;
    if (!writer.Append(mapping)) {
      return writer.count();
    }
    extent = inode_->extents.AtOrAfter(mapping.end());
    if (extent.has_value() && extent->offset < mapping.end()) {
      extent = extent->Slice(ByteRange::Between(mapping.end(), extent->end()));
    }
  }
  writer.AppendHoleUntil(range.end());
  return writer.count();
}

absl::Status File::ReadInline(uint64_t offset, absl::Span<std::byte> out) {
  const ReaderLock lock(inode_->map);
  const std::vector<std::byte>& data = inode_->inline_data;
  if (offset > data.size() || out.size() > data.size() - offset) {
    return absl::OutOfRangeError(absl::StrCat("inode ", inode_->number, ": no inline data at ",
                                              offset, ", length ", out.size()));
  }
  std::memcpy(out.data(), data.data() + offset, out.size());
  return absl::OkStatus();
}

// ---- writing ----

absl::StatusOr<WriteMapping> File::MapForWrite(const IoExclusive& /*io*/, const ByteRange& range) {
  const WriterLock lock(inode_->map);
  return MapForStore(range, Growth::kAllowed);
}

absl::StatusOr<WriteMapping> File::MapForFault(const InvalidateHeld& /*invalidate*/,
                                               const ByteRange& pages) {
  const WriterLock lock(inode_->map);
  return MapForStore(pages, Growth::kForbidden);
}

absl::StatusOr<WriteMapping> File::MapForStore(const ByteRange& range, Growth growth) {
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  const ByteRange wanted = Blocks(range);
  const std::optional<Extent> found = inode_->extents.AtOrAfter(wanted.offset);
  Extent target =
      found.has_value() && found->offset <= wanted.offset
          ? found->Slice(wanted)
          : Extent{wanted.offset,
                   std::min(found.has_value() ? found->offset : wanted.end(), wanted.end()) -
                       wanted.offset,
                   Mapping::kNoAddress};
  const bool is_hole = target.address == Mapping::kNoAddress;
  bool is_shared = false;
  if (!is_hole) {
    const ram::Blocks::Sharing sharing = inode_->blocks->SharingAt(target.place());
    target.length = sharing.length;
    is_shared = sharing.shared;
  }
  Extent before = target;
  WriteMapping mapping;
  ByteRange fresh;
  if (is_hole || is_shared) {
    IOMAP_ASSIGN_OR_RETURN(fresh, inode_->blocks->Allocate(target.length));
    target.length = fresh.length;
    before.length = fresh.length;
    if (is_shared) {
      mapping.source = MappingOf(target, inode_->device);
    }
    target.address = fresh.offset;
  }
  mapping.target = MappingOf(target, inode_->device);
  mapping.target.flags = fresh.empty() ? MappingFlag::kNone : MappingFlag::kNew;
  const bool grows = growth == Growth::kAllowed && range.end() > inode_->size;
  if (!fresh.empty() || target.unwritten || grows) {
    target.unwritten = false;
    mapping.reservation = std::make_unique<Change>(
        *this, is_hole ? std::vector<Extent>() : std::vector{before}, target, fresh, growth);
  }
  return mapping;
}

absl::Status File::MoveInlineDataOut() {
  if (inode_->inline_data.empty()) {
    return absl::OkStatus();
  }
  IOMAP_ASSIGN_OR_RETURN(const ByteRange place, inode_->blocks->Allocate(kBlockBytes));
  std::vector<std::byte> block = inode_->inline_data;
  block.resize(kBlockBytes);
  dax::Device& device = *devices()[inode_->device];
  absl::Status status = device.WriteThrough(place.offset, block);
  status.Update(device.Drain());
  if (!status.ok()) {
    inode_->blocks->RemoveUser(place);
    return status;
  }
  inode_->extents.Insert(Extent{0, kBlockBytes, place.offset});
  inode_->inline_data.clear();
  AdvanceGeneration();
  return absl::OkStatus();
}

// ---- changes of extents ----

void File::Free(const ByteRange& blocks) {
  const std::vector<Extent> removed = inode_->extents.Remove(blocks);
  if (!removed.empty()) {
    AdvanceGeneration();
    inode_->GiveBack(removed);
  }
}

absl::Status File::FillHoles(const ByteRange& blocks) {
  std::vector<Extent> filled;
  uint64_t position = blocks.offset;
  while (position < blocks.end()) {
    const std::optional<Extent> next = inode_->extents.AtOrAfter(position);
    if (next.has_value() && next->offset <= position) {
      position = next->end();
      continue;
    }
    const uint64_t hole_end =
        std::min(next.has_value() ? next->offset : blocks.end(), blocks.end());
    const absl::StatusOr<ByteRange> place = inode_->blocks->Allocate(hole_end - position);
    if (!place.ok()) {
      for (const Extent& extent : filled) {
        inode_->GiveBack(inode_->extents.Remove(extent.range()));
      }
      return place.status();
    }
    filled.push_back(Extent{position, place->length, place->offset, /*unwritten=*/true});
    inode_->extents.Insert(filled.back());
    position += place->length;
  }
  return absl::OkStatus();
}

absl::Status File::ReplaceShared(const ByteRange& blocks) {
  std::vector<Extent> own;
  absl::Status status;
  for (Extent rest : inode_->extents.In(blocks)) {
    while (rest.length > 0 && status.ok()) {
      const ram::Blocks::Sharing sharing = inode_->blocks->SharingAt(rest.place());
      uint64_t done = sharing.length;
      if (sharing.shared) {
        const absl::StatusOr<ByteRange> place = inode_->blocks->Allocate(sharing.length);
        status = place.status();
        if (place.ok()) {
          done = place->length;
          own.push_back(Extent{rest.offset, done, place->offset, /*unwritten=*/true});
        }
      }
      rest = rest.Slice(ByteRange::Between(rest.offset + done, rest.end()));
    }
  }
  for (const Extent& extent : own) {
    if (status.ok()) {
      Free(extent.range());
      inode_->extents.Insert(extent);
    } else {
      inode_->GiveBack({extent});
    }
  }
  return status;
}

absl::Status File::AllocateBlocks(const dax::ExtentLocks& /*locks*/, const ByteRange& blocks,
                                  uint64_t size) {
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  IOMAP_RETURN_IF_ERROR(FillHoles(blocks));
  inode_->size = size;
  return absl::OkStatus();
}

absl::Status File::FreeBlocks(const dax::ExtentLocks& /*locks*/, const ByteRange& blocks) {
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  Free(blocks);
  return absl::OkStatus();
}

absl::Status File::ZeroBlocks(const dax::ExtentLocks& /*locks*/, const ByteRange& blocks,
                              uint64_t size) {
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  IOMAP_RETURN_IF_ERROR(FillHoles(blocks));
  IOMAP_RETURN_IF_ERROR(ReplaceShared(blocks));
  for (Extent extent : inode_->extents.Remove(blocks)) {
    extent.unwritten = true;
    inode_->extents.Insert(extent);
  }
  AdvanceGeneration();
  inode_->size = size;
  return absl::OkStatus();
}

absl::Status File::CollapseBlocks(const dax::ExtentLocks& /*locks*/, const ByteRange& blocks) {
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  Free(blocks);
  AdvanceGeneration();
  inode_->extents.Shift(blocks.end(), -static_cast<int64_t>(blocks.length));
  inode_->size -= blocks.length;
  return absl::OkStatus();
}

absl::Status File::InsertBlocks(const dax::ExtentLocks& /*locks*/, const ByteRange& blocks) {
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  AdvanceGeneration();
  inode_->extents.Shift(blocks.offset, static_cast<int64_t>(blocks.length));
  inode_->size += blocks.length;
  return absl::OkStatus();
}

absl::Status File::ChangeSize(const dax::ExtentLocks& /*locks*/, uint64_t size) {
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  if (size < inode_->size) {
    Free(ByteRange::All().From(Blocks(ByteRange{0, size}).end()));
  }
  inode_->size = size;
  return absl::OkStatus();
}

absl::Status File::ShareBlocks(const dax::ExtentLocks& /*locks*/, dax::File& source,
                               uint64_t source_offset, const ByteRange& blocks, uint64_t size) {
  Inode& from = *static_cast<File&>(source).inode_;
  if (from.device != inode_->device) {
    return absl::InvalidArgumentError(
        absl::StrCat("inode ", inode_->number, ": inode ", from.number, " is on another device"));
  }
  std::vector<Extent> shared;
  {
    const WriterLock lock(from.map);
    IOMAP_RETURN_IF_ERROR(static_cast<File&>(source).MoveInlineDataOut());
    for (Extent extent : from.extents.In(ByteRange{source_offset, blocks.length})) {
      if (!extent.unwritten) {
        from.blocks->AddUser(extent.place());
        extent.offset = blocks.offset + (extent.offset - source_offset);
        shared.push_back(extent);
      }
    }
  }
  const WriterLock lock(inode_->map);
  IOMAP_RETURN_IF_ERROR(MoveInlineDataOut());
  Free(blocks);
  for (const Extent& extent : shared) {
    inode_->extents.Insert(extent);
  }
  inode_->size = size;
  return absl::OkStatus();
}

}  // namespace iomap::ram
