#include "dax/io.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "dax/page_copy.h"
#include "dax/racing_copy.h"
#include "iomap/for_each_mapping.h"

namespace iomap::dax {
namespace {

absl::Status ReadPart(File& file, const Mapping& mapping, const ByteRange& part,
                      absl::Span<std::byte> out) {
  if (HasFlag(mapping.flags, MappingFlag::kEncoded)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "inode ", file.inode(), ", offset ", part.offset, ": encoded bytes cannot be read"));
  }
  switch (mapping.type) {
    case MappingType::kHole:
    case MappingType::kUnwritten:
      std::memset(out.data(), 0, out.size());
      return absl::OkStatus();
    case MappingType::kInline:
      return file.ReadInline(part.offset, out);
    case MappingType::kDelalloc:
      return absl::InternalError(absl::StrCat("inode ", file.inode(), ", offset ", part.offset,
                                              ": reserved space has no bytes on a device"));
    case MappingType::kMapped:
      break;
  }
  const ByteRange place{mapping.AddressOf(part.offset), part.length};
  const bool on_device = mapping.device < file.devices().size() &&
                         place.offset <= file.devices()[mapping.device]->size() &&
                         place.length <= file.devices()[mapping.device]->size() - place.offset;
  if (!on_device) {
    return absl::DataLossError(absl::StrCat("inode ", file.inode(), ", offset ", part.offset,
                                            ": address ", place.offset, " of device ",
                                            mapping.device, " is past its end"));
  }
  CopyRacing(out.data(), file.devices()[mapping.device]->bytes().data() + place.offset,
             place.length);
  return absl::OkStatus();
}

// Stores to the device bytes of `part`, by `store`, and the rest of its first and last block by
// what the file shows there; drains.
absl::Status StorePart(File& file, const WriteMapping& mapping, const ByteRange& part,
                       absl::FunctionRef<absl::Status(Device&, uint64_t address)> store) {
  const ByteRange blocks = file.Blocks(part).Intersect(mapping.target.range());
  IOMAP_RETURN_IF_ERROR(
      FillWithoutDrain(file, mapping, ByteRange::Between(blocks.offset, part.offset)));
  IOMAP_RETURN_IF_ERROR(
      FillWithoutDrain(file, mapping, ByteRange::Between(part.end(), blocks.end())));
  Device& device = *file.devices()[mapping.target.device];
  IOMAP_RETURN_IF_ERROR(store(device, mapping.target.AddressOf(part.offset)));
  return device.Drain();
}

// Gives a block that is allocated and unwritten its zeros, as a page fault would do, under the lock
// of its page's entry: a store that somebody makes to the rest of the block cannot be zeroed away.
absl::Status WriteZeroesToUnwritten(File& file, const ByteRange& block) {
  const InvalidateShared invalidate = file.locks().LockInvalidateShared();
  const std::optional<LockedEntry> entry =
      file.address_space().LockEntry(invalidate, block.offset, PageSize::kBase);
  return ForEachWriteMapping(
      block, [&](const ByteRange& rest) { return file.MapForFault(invalidate, rest); },
      [&](const WriteMapping& mapping, const ByteRange& part) {
        return FillPages(file, mapping, part);
      });
}

// How a write of `range` asks for its mappings: whole blocks of an unwritten extent, or, since
// others may be storing to it too, the part of a block that was given its zeros first. Where the
// write leaves the written part of the file, it looks at the size, and zeroes what it leaves a gap
// behind.
class WriteMapper {
 public:
  WriteMapper(File& file, const IoExclusive& io, const ByteRange& range)
      : file_(file), io_(io), range_(range) {}

  absl::StatusOr<WriteMapping> Map(const ByteRange& rest) {
    absl::StatusOr<WriteMapping> mapping = file_.MapForWrite(io_, rest);
    if (!mapping.ok() || mapping->reservation == nullptr) {
      return mapping;
    }
    if (!size_.has_value()) {
      IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file_.attributes());
      size_ = attributes.size;
      if (range_.offset > *size_) {
        mapping->reservation.reset();
        const InvalidateShared invalidate = file_.locks().LockInvalidateShared();
        IOMAP_RETURN_IF_ERROR(ZeroPastEnd(file_, io_, invalidate, *size_, range_.offset));
        mapping = file_.MapForWrite(io_, rest);
        if (!mapping.ok()) {
          return mapping;
        }
      }
    }
    has_moved_ |= mapping->source.has_value() || mapping->needs_zeroes();
    const ByteRange first = file_.Blocks(ByteRange{rest.offset, 1});
    if (mapping->target.type != MappingType::kUnwritten || first.offset >= *size_) {
      return mapping;
    }
    const ByteRange part = rest.Intersect(mapping->target.range());
    if (part.Contains(first)) {
      const uint64_t whole_end = part.end() - part.end() % file_.block_size();
      mapping->target.length = whole_end - mapping->target.offset;
      return mapping;
    }
    mapping->reservation.reset();
    IOMAP_RETURN_IF_ERROR(WriteZeroesToUnwritten(file_, first));
    return file_.MapForWrite(io_, rest);
  }

  // True when pages that were mapped before may lie elsewhere now, or no longer are zeros.
  bool has_moved() const { return has_moved_; }
  // Known when the write has left the written part of the file.
  const std::optional<uint64_t>& old_size() const { return size_; }

 private:
  File& file_;
  const IoExclusive& io_;
  const ByteRange range_;
  std::optional<uint64_t> size_;  // before the write; asked for once it matters
  bool has_moved_ = false;
};

}  // namespace

absl::StatusOr<size_t> Read(File& file, uint64_t offset, absl::Span<std::byte> out) {
  const IoShared io = file.locks().LockIoShared();
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file.attributes());
  if (offset >= attributes.size) {
    return 0;
  }
  const ByteRange range{offset, std::min<uint64_t>(out.size(), attributes.size - offset)};
  uint64_t position = offset;
  while (position < range.end()) {
    const uint64_t generation = file.generation();
    IOMAP_RETURN_IF_ERROR(
        ForEachMapping(file, &File::MapForRead, range.From(position),
                       [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
                         IOMAP_RETURN_IF_ERROR(ReadPart(
                             file, mapping, part, out.subspan(part.offset - offset, part.length)));
                         // A page fault may have given the bytes another place, and the old one
                         // away.
                         if (!file.UnchangedSince(generation)) {
                           return Walk::kStop;
                         }
                         position = part.end();
                         return Walk::kContinue;
                       }));
  }
  return range.length;
}

absl::Status Write(File& file, uint64_t offset, absl::Span<const std::byte> bytes, WriteSync sync) {
  IOMAP_ASSIGN_OR_RETURN(const ByteRange range, ByteRange::Make(offset, bytes.size()));
  if (range.empty()) {
    return absl::OkStatus();
  }
  const FreezeGate::Passage passage(file.freeze_gate(), FreezeGate::Level::kWrite);
  const IoExclusive io = file.locks().LockIoExclusive();
  WriteMapper mapper(file, io, range);
  const absl::Status status = ForEachWriteMapping(
      range, [&](const ByteRange& rest) { return mapper.Map(rest); },
      [&](const WriteMapping& mapping, const ByteRange& part) {
        return StorePart(file, mapping, part, [&](Device& device, uint64_t address) {
          return device.WriteThrough(address, bytes.subspan(part.offset - offset, part.length));
        });
      });
  if (mapper.has_moved()) {
    // Page tables may still show zeros, or the bytes that another file shares. The caller's buffer
    // is not touched any more.
    const InvalidateShared invalidate = file.locks().LockInvalidateShared();
    IOMAP_RETURN_IF_ERROR(file.address_space().Evict(invalidate, range.AlignOutward(kPageBytes),
                                                     EvictReason::kClean));
  }
  if (mapper.old_size().has_value() && *mapper.old_size() < range.end()) {
    IOMAP_RETURN_IF_ERROR(file.AfterGrowth(*mapper.old_size(), range.end()));
  }
  IOMAP_RETURN_IF_ERROR(status);
  if (sync == WriteSync::kBytes) {
    return absl::OkStatus();
  }
  const InvalidateShared invalidate = file.locks().LockInvalidateShared();
  return file.FsyncLocked(invalidate, range,
                          sync == WriteSync::kData ? SyncKind::kData : SyncKind::kFile);
}

absl::Status Zero(File& file, const IoExclusive& /*io*/, const InvalidateHeld& invalidate,
                  const ByteRange& range) {
  std::vector<ByteRange> mapped;
  IOMAP_RETURN_IF_ERROR(ForEachMapping(
      file, &File::MapForRead, range, [&](const Mapping& mapping, const ByteRange& part) {
        if (mapping.type == MappingType::kMapped || mapping.type == MappingType::kInline) {
          mapped.push_back(part);
        }
        return Walk::kContinue;
      }));
  bool has_moved = false;
  for (const ByteRange& part_of_range : mapped) {
    IOMAP_RETURN_IF_ERROR(ForEachWriteMapping(
        part_of_range,
        [&](const ByteRange& rest) { return file.MapForFault(invalidate, file.Blocks(rest)); },
        [&](const WriteMapping& mapping, const ByteRange& part) {
          has_moved |= mapping.source.has_value();
          return StorePart(file, mapping, part, [&](Device& device, uint64_t address) {
            return device.Zero(ByteRange{address, part.length});
          });
        }));
  }
  return has_moved ? file.address_space().Evict(invalidate, range, EvictReason::kClean)
                   : absl::OkStatus();
}

absl::Status ZeroPastEnd(File& file, const IoExclusive& io, const InvalidateHeld& invalidate,
                         uint64_t size, uint64_t new_size) {
  const uint64_t block_end = file.Blocks(ByteRange{0, size}).end();
  const uint64_t end = std::min(block_end, new_size);
  return end <= size ? absl::OkStatus() : Zero(file, io, invalidate, ByteRange::Between(size, end));
}

absl::Status Unshare(File& file, const IoExclusive& /*io*/, const InvalidateHeld& invalidate,
                     const ByteRange& range) {
  std::vector<ByteRange> shared;
  IOMAP_RETURN_IF_ERROR(ForEachMapping(file, &File::MapForReport, range,
                                       [&](const Mapping& mapping, const ByteRange& part) {
                                         if (HasFlag(mapping.flags, MappingFlag::kShared)) {
                                           shared.push_back(part);
                                         }
                                         return Walk::kContinue;
                                       }));
  for (const ByteRange& blocks : shared) {
    IOMAP_RETURN_IF_ERROR(ForEachWriteMapping(
        blocks,
        [&](const ByteRange& rest) { return file.MapForFault(invalidate, file.Blocks(rest)); },
        [&](const WriteMapping& mapping, const ByteRange& part) {
          return FillPages(file, mapping, part);
        }));
    IOMAP_RETURN_IF_ERROR(file.address_space().Evict(invalidate, blocks, EvictReason::kClean));
  }
  return absl::OkStatus();
}

}  // namespace iomap::dax
