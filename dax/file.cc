#include "dax/file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

absl::Status Missing(const File& file, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat("inode ", file.inode(), ": no ", what, " here"));
}

}  // namespace

File::File(InodeNumber inode, const DeviceSet& devices, const FileOptions& options)
    : iomap::File(inode), devices_(devices), options_(options) {}

File::~File() = default;

AddressSpace& File::address_space() {
  if (AddressSpace* made = address_space_.load(std::memory_order_acquire); made != nullptr) {
    return *made;
  }
  std::call_once(address_space_made_, [this] {
    owned_address_space_ = options_.make_address_space(devices_);
    address_space_.store(owned_address_space_.get(), std::memory_order_release);
  });
  return *owned_address_space_;
}

absl::Status File::WriteBack(const ByteRange& range) {
  AddressSpace* space = address_space_.load(std::memory_order_acquire);
  return space == nullptr ? absl::OkStatus() : space->WriteBack(range);
}

absl::Status File::Fsync(const ByteRange& range, SyncKind kind) {
  uint64_t cursor = error_cursor_.load(std::memory_order_relaxed);
  absl::Status status = Fsync(range, kind, cursor);
  error_cursor_.store(cursor, std::memory_order_relaxed);
  return status;
}

absl::Status File::Fsync(const ByteRange& range, SyncKind kind, uint64_t& error_cursor) {
  uint64_t change = 0;
  {
    // While extents cannot change, so that what is flushed and what is committed fit.
    const InvalidateShared invalidate = locks().LockInvalidateShared();
    const absl::Status written_back = WriteBack(range);
    AddressSpace* space = address_space_.load(std::memory_order_acquire);
    const absl::Status earlier =
        space == nullptr ? absl::OkStatus() : space->CheckErrors(error_cursor);
    IOMAP_RETURN_IF_ERROR(written_back);
    IOMAP_RETURN_IF_ERROR(earlier);
    change = LatestChange(kind);
  }
  return CommitUpTo(change);
}

absl::Status File::FsyncLocked(const InvalidateHeld& /*invalidate*/, const ByteRange& range,
                               SyncKind kind) {
  IOMAP_RETURN_IF_ERROR(WriteBack(range));
  return CommitUpTo(LatestChange(kind));
}

absl::Status File::TrapStores() {
  AddressSpace* space = address_space_.load(std::memory_order_acquire);
  const bool noted = space != nullptr && space->AnyTableNotesStores();
  return noted ? space->Unmap(ByteRange::All()) : absl::OkStatus();
}

absl::Status File::SyncUnlocked() {
  IOMAP_RETURN_IF_ERROR(WriteBack(ByteRange::All()));
  return CommitUpTo(LatestChange(SyncKind::kFile));
}

absl::Status File::AfterGrowth(uint64_t old_size, uint64_t new_size) {
  AddressSpace* space = address_space_.load(std::memory_order_acquire);
  if (space == nullptr || !space->AnyTableMapsAhead()) {
    return absl::OkStatus();
  }
  const uint64_t first_behind = ByteRange{0, old_size}.AlignOutward(kPageBytes).end();
  return space->Unmap(
      ByteRange::Between(first_behind, std::max(first_behind, new_size)).AlignOutward(kPageBytes));
}

absl::StatusOr<WriteMapping> File::MapForFault(const InvalidateHeld& /*invalidate*/,
                                               const ByteRange& /*pages*/) {
  return Missing(*this, "stores through a mapping");
}

absl::Status File::AllocateBlocks(const ExtentLocks& /*locks*/, const ByteRange& /*blocks*/,
                                  uint64_t /*size*/) {
  return Missing(*this, "allocation");
}

absl::Status File::FreeBlocks(const ExtentLocks& /*locks*/, const ByteRange& /*blocks*/) {
  return Missing(*this, "punching of holes");
}

absl::Status File::ZeroBlocks(const ExtentLocks& /*locks*/, const ByteRange& /*blocks*/,
                              uint64_t /*size*/) {
  return Missing(*this, "zeroing of ranges");
}

absl::Status File::CollapseBlocks(const ExtentLocks& /*locks*/, const ByteRange& /*blocks*/) {
  return Missing(*this, "collapsing of ranges");
}

absl::Status File::InsertBlocks(const ExtentLocks& /*locks*/, const ByteRange& /*blocks*/) {
  return Missing(*this, "inserting of ranges");
}

absl::Status File::ChangeSize(const ExtentLocks& /*locks*/, uint64_t /*size*/) {
  return Missing(*this, "change of size");
}

absl::Status File::ShareBlocks(const ExtentLocks& /*locks*/, File& /*source*/,
                               uint64_t /*source_offset*/, const ByteRange& /*blocks*/,
                               uint64_t /*size*/) {
  return Missing(*this, "sharing of blocks");
}

uint64_t File::LatestChange(SyncKind /*kind*/) { return 0; }

absl::Status File::CommitUpTo(uint64_t /*change*/) { return absl::OkStatus(); }

}  // namespace iomap::dax
