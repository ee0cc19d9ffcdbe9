// dax::File's changes of extents: what must happen around each transaction of a backend.

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "dax/file.h"
#include "dax/io.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// Waits for pins with no lock held, and looks again.
ExtentLocks LockForChange(File& file, const ByteRange& pages) {
  while (true) {
    {
      ExtentLocks locks{file.locks().LockIoExclusive(), file.locks().LockInvalidateExclusive()};
      if (!file.address_space().IsPinned(pages)) {
        return locks;
      }
    }
    file.address_space().WaitForPins(pages);
  }
}

absl::Status Invalid(const File& file, FallocateMode mode, const ByteRange& range,
                     absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("inode ", file.inode(), ", ",
                                                 FallocateModeName(mode), " at ", range.offset,
                                                 " of ", range.length, " bytes: ", why));
}

}  // namespace

// One change, with the file's locks held.
class ExtentChange {
 public:
  ExtentChange(File& file, const ExtentLocks& locks, uint64_t size)
      : file_(file), locks_(locks), size_(size) {}

  absl::Status Fallocate(FallocateMode mode, const ByteRange& range) {
    switch (mode) {
      case FallocateMode::kAllocate:
        return Allocate(range, std::max(size_, range.end()));
      case FallocateMode::kAllocateKeepSize:
        return Allocate(range, size_);
      case FallocateMode::kPunchHole:
        return Punch(range);
      case FallocateMode::kZeroRange:
        return ZeroRange(range, std::max(size_, range.end()));
      case FallocateMode::kZeroRangeKeepSize:
        return ZeroRange(range, size_);
      case FallocateMode::kCollapseRange:
        return Collapse(range);
      case FallocateMode::kInsertRange:
        return Insert(range);
      case FallocateMode::kUnshareRange:
        return Unshare(file_, locks_.io, locks_.invalidate, range.Intersect(ByteRange{0, size_}));
    }
    return absl::OkStatus();
  }

  absl::Status SetSize(uint64_t size) {
    if (size >= size_) {
      IOMAP_RETURN_IF_ERROR(ZeroPastEnd(file_, locks_.io, locks_.invalidate, size_, size));
      IOMAP_RETURN_IF_ERROR(file_.ChangeSize(locks_, size));
      return file_.AfterGrowth(size_, size);
    }
    const uint64_t first_gone = file_.Blocks(ByteRange{0, size}).end();
    IOMAP_RETURN_IF_ERROR(file_.address_space().Evict(
        locks_.invalidate, ByteRange::All().From(first_gone), EvictReason::kFreed));
    IOMAP_RETURN_IF_ERROR(file_.ChangeSize(locks_, size));
    // Page tables show the last page to its end. Only now, since after a crash before the change
    // these bytes are the file's.
    return Zero(file_, locks_.io, locks_.invalidate, ByteRange::Between(size, first_gone));
  }

  absl::Status Share(File& source, uint64_t source_offset, const ByteRange& target) {
    const uint64_t size = std::max(size_, target.end());
    IOMAP_RETURN_IF_ERROR(ZeroPastEnd(file_, locks_.io, locks_.invalidate, size_, target.offset));
    const ByteRange blocks = file_.Blocks(target);
    // Stores to the source would change both files: none gets past the write-back unseen.
    const ByteRange from{source_offset, blocks.length};
    IOMAP_RETURN_IF_ERROR(source.address_space().Unmap(from));
    IOMAP_RETURN_IF_ERROR(source.WriteBack(from));
    IOMAP_RETURN_IF_ERROR(
        file_.address_space().Evict(locks_.invalidate, blocks, EvictReason::kFreed));
    IOMAP_RETURN_IF_ERROR(file_.ShareBlocks(locks_, source, source_offset, blocks, size));
    return file_.AfterGrowth(size_, size);
  }

 private:
  absl::Status Allocate(const ByteRange& range, uint64_t size) {
    IOMAP_RETURN_IF_ERROR(ZeroPastEnd(file_, locks_.io, locks_.invalidate, size_, size));
    IOMAP_RETURN_IF_ERROR(file_.AllocateBlocks(locks_, file_.Blocks(range), size));
    return file_.AfterGrowth(size_, size);
  }

  // The whole blocks inside the range; the last block of the file counts as whole when all of it
  // that is the file's lies inside.
  ByteRange WholeBlocks(const ByteRange& range) const {
    const uint64_t block = file_.block_size();
    const uint64_t begin = (range.offset + block - 1) & ~(block - 1);
    const bool to_the_end = range.end() >= size_ && range.offset < size_;
    const uint64_t end = to_the_end ? file_.Blocks(range).end() : range.end() & ~(block - 1);
    return ByteRange::Between(begin, std::max(begin, end));
  }

  absl::Status ZeroEdges(const ByteRange& range, const ByteRange& whole) {
    if (whole.empty()) {
      return Zero(file_, locks_.io, locks_.invalidate, range);
    }
    const uint64_t end = std::max(range.end(), whole.end());
    IOMAP_RETURN_IF_ERROR(
        Zero(file_, locks_.io, locks_.invalidate, ByteRange::Between(range.offset, whole.offset)));
    return Zero(file_, locks_.io, locks_.invalidate, ByteRange::Between(whole.end(), end));
  }

  absl::Status Punch(const ByteRange& range) {
    const ByteRange whole = WholeBlocks(range);
    IOMAP_RETURN_IF_ERROR(ZeroEdges(range, whole));
    if (whole.empty()) {
      return absl::OkStatus();
    }
    IOMAP_RETURN_IF_ERROR(
        file_.address_space().Evict(locks_.invalidate, whole, EvictReason::kFreed));
    return file_.FreeBlocks(locks_, whole);
  }

  absl::Status ZeroRange(const ByteRange& range, uint64_t size) {
    IOMAP_RETURN_IF_ERROR(Allocate(range, size));
    const ByteRange whole = WholeBlocks(range);
    IOMAP_RETURN_IF_ERROR(ZeroEdges(range, whole));
    if (whole.empty()) {
      return absl::OkStatus();
    }
    IOMAP_RETURN_IF_ERROR(
        file_.address_space().Evict(locks_.invalidate, whole, EvictReason::kFreed));
    return file_.ZeroBlocks(locks_, whole, size);
  }

  // Everything from the range on moves: what is dirty is made durable where it lies, and no page
  // table keeps the old places.
  absl::Status BeforeShift(const ByteRange& range) {
    const ByteRange rest = ByteRange::All().From(range.offset);
    IOMAP_RETURN_IF_ERROR(file_.address_space().Unmap(rest));
    IOMAP_RETURN_IF_ERROR(file_.WriteBack(rest));
    return file_.address_space().Evict(locks_.invalidate, rest, EvictReason::kClean);
  }

  absl::Status Collapse(const ByteRange& range) {
    if (file_.Blocks(range) != range) {
      return Invalid(file_, FallocateMode::kCollapseRange, range, "not whole blocks");
    }
    if (range.end() >= size_) {
      return Invalid(file_, FallocateMode::kCollapseRange, range,
                     absl::StrCat("reaches the end of file, ", size_));
    }
    IOMAP_RETURN_IF_ERROR(BeforeShift(range));
    return file_.CollapseBlocks(locks_, range);
  }

  absl::Status Insert(const ByteRange& range) {
    if (file_.Blocks(range) != range) {
      return Invalid(file_, FallocateMode::kInsertRange, range, "not whole blocks");
    }
    if (range.offset >= size_) {
      return Invalid(file_, FallocateMode::kInsertRange, range,
                     absl::StrCat("begins at or past the end of file, ", size_));
    }
    if (size_ > ByteRange::kMaxOffset - range.length) {
      return absl::OutOfRangeError(absl::StrCat("inode ", file_.inode(), ": a size of ", size_,
                                                " and ", range.length, " bytes passes 2^63-1"));
    }
    IOMAP_RETURN_IF_ERROR(BeforeShift(range));
    IOMAP_RETURN_IF_ERROR(file_.InsertBlocks(locks_, range));
    return file_.AfterGrowth(size_, size_ + range.length);
  }

  File& file_;
  const ExtentLocks& locks_;
  const uint64_t size_;
};

absl::Status File::Fallocate(FallocateMode mode, const ByteRange& range) {
  IOMAP_RETURN_IF_ERROR(ByteRange::Make(range.offset, range.length).status());
  if (range.empty()) {
    return Invalid(*this, mode, range, "no bytes");
  }
  const FreezeGate::Passage passage(freeze_gate(), FreezeGate::Level::kWrite);
  const bool moves_the_rest =
      mode == FallocateMode::kCollapseRange || mode == FallocateMode::kInsertRange;
  const ExtentLocks locks =
      LockForChange(*this, moves_the_rest ? ByteRange::All().From(range.offset) : Blocks(range));
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, this->attributes());
  return ExtentChange(*this, locks, attributes.size).Fallocate(mode, range);
}

absl::Status File::SetSize(uint64_t size) {
  IOMAP_RETURN_IF_ERROR(ByteRange::Make(0, size).status());
  const FreezeGate::Passage passage(freeze_gate(), FreezeGate::Level::kWrite);
  const ExtentLocks locks = LockForChange(*this, ByteRange::All().From(size));
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, this->attributes());
  return ExtentChange(*this, locks, attributes.size).SetSize(size);
}

absl::Status File::CloneRange(iomap::File& other, uint64_t source_offset, const ByteRange& target) {
  auto* const source = dynamic_cast<File*>(&other);
  if (source == nullptr || &source->devices() != &devices()) {
    return absl::InvalidArgumentError(
        absl::StrCat("inode ", inode(), ": blocks of another file system cannot be shared"));
  }
  IOMAP_RETURN_IF_ERROR(ByteRange::Make(target.offset, target.length).status());
  IOMAP_ASSIGN_OR_RETURN(const ByteRange from, ByteRange::Make(source_offset, target.length));
  if (target.empty()) {
    return absl::OkStatus();
  }
  const FreezeGate::Passage passage(freeze_gate(), FreezeGate::Level::kWrite);
  while (true) {
    absl::StatusOr<bool> shared = TryCloneRange(*source, from, target);
    if (!shared.ok() || *shared) {
      return shared.status();
    }
    source->address_space().WaitForPins(source->Blocks(from));
    address_space().WaitForPins(Blocks(target));
  }
}

// False when pages of one of the files are pinned.
absl::StatusOr<bool> File::TryCloneRange(File& source, const ByteRange& from,
                                         const ByteRange& target) {
  // Of two files, the one with the lower number first.
  File& first = source.inode() < inode() ? source : *this;
  File& second = source.inode() < inode() ? *this : source;
  IoExclusive first_io = first.locks().LockIoExclusive();
  std::optional<IoExclusive> second_io;
  if (&second != &first) {
    second_io.emplace(second.locks().LockIoExclusive());
  }
  InvalidateExclusive first_invalidate = first.locks().LockInvalidateExclusive();
  std::optional<InvalidateExclusive> second_invalidate;
  if (&second != &first) {
    second_invalidate.emplace(second.locks().LockInvalidateExclusive());
  }
  if (source.address_space().IsPinned(source.Blocks(from)) ||
      address_space().IsPinned(Blocks(target))) {
    return false;
  }
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, this->attributes());
  IOMAP_ASSIGN_OR_RETURN(const Attributes source_attributes, source.attributes());
  IOMAP_RETURN_IF_ERROR(CheckClone(source, source_attributes.size, from, attributes.size, target));
  const ExtentLocks locks = this == &first
                                ? ExtentLocks{std::move(first_io), std::move(first_invalidate)}
                                : ExtentLocks{*std::move(second_io), *std::move(second_invalidate)};
  IOMAP_RETURN_IF_ERROR(
      ExtentChange(*this, locks, attributes.size).Share(source, from.offset, target));
  return true;
}

// What Linux answers EINVAL for.
absl::Status File::CheckClone(const File& source, uint64_t source_size, const ByteRange& from,
                              uint64_t size, const ByteRange& target) const {
  const auto invalid = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("inode ", inode(), ", clone of inode ", source.inode(), " at ", from.offset,
                     " to ", target.offset, " of ", target.length, " bytes: ", why));
  };
  if (from.end() > source_size) {
    return invalid(absl::StrCat("past the source's end of file, ", source_size));
  }
  const uint64_t block = block_size();
  if (from.offset % block != 0 || target.offset % block != 0 || source.block_size() != block) {
    return invalid("not whole blocks");
  }
  const bool ends_in_block = target.length % block != 0;
  if (ends_in_block && (from.end() != source_size || target.end() < size)) {
    return invalid("ends inside a block, and not at the end of both files");
  }
  if (&source == this && Blocks(from).Overlaps(Blocks(target))) {
    return invalid("the ranges overlap");
  }
  return absl::OkStatus();
}

}  // namespace iomap::dax
