#include "dax/host_mapping.h"

#include <libpmem.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"
#include "dax/pagemap.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// How much is mapped around a page that was touched.
constexpr uint64_t kWindow = kHugePageBytes;
// Where each change of protection may cost the process a piece, so much at a time.
constexpr uint64_t kCluster = HostMapping::kClusterPages * kPageBytes;
constexpr uint64_t kMostAhead = 128 * kPageBytes;

absl::StatusOr<HostMemory> MemoryOf(const Device& device) {
  const std::optional<HostMemory> memory = device.host_memory();
  if (!memory.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("a device of this kind (", device.kind(), ") cannot be mapped by a process"));
  }
  if (memory->offset % kPageBytes != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "an image that begins at ", memory->offset, " bytes of its file, not a multiple of ",
        kPageBytes, ", cannot be mapped by a process"));
  }
  return *memory;
}

// The first of `wanted` that works on all devices.
absl::StatusOr<Tracking> FirstThatWorks(absl::Span<const Tracking> wanted,
                                        const DeviceSet& devices) {
  absl::Status status;
  for (const Tracking tracking : wanted) {
    status = absl::OkStatus();
    for (const std::unique_ptr<Device>& device : devices) {
      status.Update(HostMapping::CanTrack(tracking, *device));
    }
    if (status.ok()) {
      return tracking;
    }
  }
  return status;
}

// Whether the kernel maps what is aligned by 2 MiB: looks at the devices' own mappings.
bool HaveHugePages(const DeviceSet& devices) {
  const auto pagemap = Pagemap::Open();
  return pagemap.ok() && std::all_of(devices.begin(), devices.end(), [&](const auto& device) {
           const auto first = reinterpret_cast<uintptr_t>(device->bytes().data());
           const uint64_t skipped = -first % kHugePageBytes;
           if (device->size() < skipped + kHugePageBytes) {
             return false;
           }
           static_cast<void>(*const_cast<const volatile std::byte*>(&device->bytes()[skipped]));
           const auto huge = (*pagemap)->HugeBytes({first + skipped, kHugePageBytes});
           return huge.ok() && *huge == kHugePageBytes;
         });
}

bool HasOwnBlocks(const Mapping& mapping) {
  return mapping.type == MappingType::kMapped && !HasFlag(mapping.flags, MappingFlag::kShared) &&
         !HasFlag(mapping.flags, MappingFlag::kEncoded);
}

ByteRange WindowAround(uint64_t offset) { return {offset & ~(kWindow - 1), kWindow}; }

// The pages of a file of `size` bytes.
ByteRange PagesOf(uint64_t size) { return ByteRange{0, size}.AlignOutward(kPageBytes); }

ByteRange WholePagesIn(const ByteRange& range) {
  const uint64_t begin = (range.offset + kPageBytes - 1) & ~(kPageBytes - 1);
  return ByteRange::Between(begin, std::max(begin, range.end() & ~(kPageBytes - 1)));
}

}  // namespace

absl::Status HostMapping::CanTrack(Tracking tracking, const Device& device) {
  IOMAP_ASSIGN_OR_RETURN(const HostMemory memory, MemoryOf(device));
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<PageTraps> traps, PageTraps::Make(tracking));
  return traps->Try(memory.descriptor, memory.offset);
}

absl::StatusOr<std::unique_ptr<HostMapping>> HostMapping::Make(std::shared_ptr<File> file,
                                                               const Options& options) {
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
  for (const std::unique_ptr<Device>& device : file->devices()) {
    IOMAP_ASSIGN_OR_RETURN(const HostMemory memory, MemoryOf(*device));
    if (options.sync == MapSync::kYes && !memory.is_persistent) {
      return absl::FailedPreconditionError(
          absl::StrCat("MAP_SYNC: stores to this device become durable by ", device->flush()));
    }
  }
  IOMAP_ASSIGN_OR_RETURN(
      const Tracking tracking,
      FirstThatWorks(options.tracking.has_value() ? absl::MakeConstSpan(&*options.tracking, 1)
                                                  : AllTrackings(),
                     file->devices()));
  const uint64_t bytes = options.bytes == 0 ? attributes.size : options.bytes;
  IOMAP_ASSIGN_OR_RETURN(
      std::unique_ptr<HostPageTable> table,
      HostPageTable::Make(bytes, tracking,
                          tracking == Tracking::kSignals && HaveHugePages(file->devices())));
  const int wake_up = eventfd(0, EFD_CLOEXEC);
  if (wake_up < 0) {
    return SystemError("eventfd");
  }
  auto mapping = std::unique_ptr<HostMapping>(
      new HostMapping(std::move(file), tracking, std::move(table), options.sync, wake_up));
  if (tracking == Tracking::kNothing) {
    IOMAP_RETURN_IF_ERROR(mapping->Populate(PagesOf(std::min(bytes, attributes.size))));
  } else if (!mapping->table_->wants_huge_pages()) {
    const FreezeGate::Passage passage(mapping->file_->freeze_gate(), FreezeGate::Level::kFault,
                                      FreezeGate::IfClosed::kStayOutside);
    const InvalidateShared invalidate = mapping->file_->locks().LockInvalidateShared();
    IOMAP_RETURN_IF_ERROR(mapping->MapExtentsUnlessFrozen(invalidate, passage,
                                                          ByteRange{0, mapping->table_->size()}));
  }
  return mapping;
}

HostMapping::HostMapping(std::shared_ptr<File> file, Tracking tracking,
                         std::unique_ptr<HostPageTable> table, MapSync sync, int wake_up)
    : file_(std::move(file)),
      tracking_(tracking),
      table_(std::move(table)),
      sync_(sync),
      error_cursor_(file_->address_space().ErrorCursor()),
      wake_up_(wake_up),
      loads_("iomap-loads", [this](const HostPageTable::Fault& fault) { Resolve(fault); }),
      stores_("iomap-stores", [this](const HostPageTable::Fault& fault) { Resolve(fault); }),
      reader_(StartFaultThread("iomap-faults", [this] { ReadFaults(); })) {
  file_->address_space().Attach(table_.get());
}

HostMapping::~HostMapping() {
  // What the kernel has noted becomes the address space's.
  file_->address_space().Unmap(ByteRange::All()).IgnoreError();
  file_->address_space().Detach(table_.get());
  const uint64_t one = 1;
  while (write(wake_up_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  reader_.join();
  close(wake_up_);
}

absl::Status HostMapping::MapExtents(const InvalidateHeld& invalidate, const ByteRange& range) {
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file_->attributes());
  const ByteRange pages = range.Intersect(PagesOf(attributes.size));
  if (pages.empty()) {
    return absl::OkStatus();
  }
  // Blocks that are the file's alone stay where they are while the lock is held.
  std::vector<std::pair<ByteRange, Mapping>> own;
  IOMAP_RETURN_IF_ERROR(
      ForEachMapping(*file_, &iomap::File::MapForReport, pages,
                     [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
                       const ByteRange whole = WholePagesIn(part);
                       if (HasOwnBlocks(mapping) && !whole.empty() &&
                           mapping.AddressOf(whole.offset) % kPageBytes == 0) {
                         own.emplace_back(whole, mapping);
                       }
                       return Walk::kContinue;
                     }));
  if (sync_ == MapSync::kYes && table_->notes_stores()) {
    // No store to what is mapped here will fault: it must be found after a crash from now on.
    IOMAP_RETURN_IF_ERROR(file_->FsyncLocked(invalidate, ByteRange(), SyncKind::kData));
  }
  absl::Status status;
  for (const auto& [whole, mapping] : own) {
    Device& device = *file_->devices()[mapping.device];
    const uint64_t address = mapping.AddressOf(whole.offset);
    file_->address_space().ForEachUndisputed(
        whole, [&, offset = whole.offset](const ByteRange& part) {
          status.Update(table_->MapOwn(part, device, address + (part.offset - offset)));
        });
    IOMAP_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status HostMapping::MapExtentsUnlessFrozen(const InvalidateHeld& invalidate,
                                                 const FreezeGate::Passage& passage,
                                                 const ByteRange& range) {
  return passage.inside() || !table_->notes_stores() ? MapExtents(invalidate, range)
                                                     : absl::OkStatus();
}

void HostMapping::ReadFaults() {
  std::vector<pollfd> descriptors = table_->descriptors();
  descriptors.push_back(pollfd{wake_up_, POLLIN, 0});
  while (true) {
    if (poll(descriptors.data(), descriptors.size(), -1) < 0) {
      continue;  // EINTR
    }
    for (std::optional<HostPageTable::Fault> fault = table_->NextFault(); fault.has_value();
         fault = table_->NextFault()) {
      (fault->access == Access::kWrite ? stores_ : loads_).Add(*fault);
    }
    if (descriptors.back().revents != 0) {
      return;
    }
  }
}

void HostMapping::Resolve(const HostPageTable::Fault& fault) {
  const absl::Status status =
      fault.access == Access::kWrite ? ResolveStore(fault.offset) : ResolveLoad(fault.offset);
  if (!status.ok()) {
    {
      const MutexLock lock(mutex_);
      last_error_ = status;
    }
    table_->Refuse(fault.offset);
  }
  table_->LetGo(fault);
}

absl::Status HostMapping::ResolveLoad(uint64_t offset) {
  if (!table_->wants_huge_pages()) {
    const FreezeGate::Passage passage(file_->freeze_gate(), FreezeGate::Level::kFault,
                                      FreezeGate::IfClosed::kStayOutside);
    const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
    IOMAP_RETURN_IF_ERROR(MapExtentsUnlessFrozen(invalidate, passage, WindowAround(offset)));
    IOMAP_RETURN_IF_ERROR(MapZeroesAround(invalidate, offset));
    if (table_->StateOf(offset) != PageState::kUnmapped) {
      return absl::OkStatus();
    }
  }
  const absl::Status status =
      file_->address_space().Fault(*file_, *table_, offset, Access::kRead, sync_);
  // Shared blocks, where a store to them would pass unseen: they are unshared at once.
  return absl::IsUnimplemented(status) ? ResolveStore(offset) : status;
}

// A hole, or unwritten space: as much of it as one page of page tables shows.
absl::Status HostMapping::MapZeroesAround(const InvalidateHeld& invalidate, uint64_t offset) {
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file_->attributes());
  if (offset >= attributes.size || table_->StateOf(offset) != PageState::kUnmapped) {
    return absl::OkStatus();
  }
  const ByteRange window = WindowAround(offset).Intersect(PagesOf(attributes.size));
  IOMAP_ASSIGN_OR_RETURN(
      const Mapping mapping,
      FirstMapping(*file_, &iomap::File::MapForRead, ByteRange::Between(offset, window.end())));
  if (!mapping.reads_as_zeros()) {
    return absl::OkStatus();
  }
  return file_->address_space().PopulateZeroes(
      *file_, invalidate, ByteRange::Between(offset, mapping.end()).Intersect(window), *table_);
}

absl::Status HostMapping::ResolveStore(uint64_t offset) {
  if (table_->wants_huge_pages()) {
    return file_->address_space().Fault(*file_, *table_, offset, Access::kWrite, sync_);
  }
  const FreezeGate::Passage passage(file_->freeze_gate(), FreezeGate::Level::kFault);
  const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file_->attributes());
  if (offset >= attributes.size) {
    return absl::OutOfRangeError(absl::StrCat("inode ", file_->inode(), ", offset ", offset,
                                              ": past the end of file, ", attributes.size));
  }
  const ByteRange window = WindowAround(offset);
  if (table_->notes_stores()) {
    IOMAP_RETURN_IF_ERROR(MapExtents(invalidate, window));
    if (table_->StateOf(offset) == PageState::kWritable) {
      return absl::OkStatus();
    }
  }
  IOMAP_ASSIGN_OR_RETURN(const ByteRange around, AroundStore(offset, attributes.size));
  absl::Status status = PopulateLocked(invalidate, around);
  const bool has_blocks = table_->StateOf(offset) == PageState::kReadOnly;
  if (absl::IsResourceExhausted(status) && table_->protection_makes_pieces() && has_blocks) {
    // Too many pieces: one large one, or, with all of them clean again, one more.
    status = PopulateLocked(invalidate, window.Intersect(PagesOf(attributes.size)));
    if (absl::IsResourceExhausted(status)) {
      IOMAP_RETURN_IF_ERROR(file_->address_space().WriteBack(ByteRange::All()));
      status = PopulateLocked(invalidate, around);
    }
  }
  if (!status.ok() && around.length > kPageBytes) {
    status = PopulateLocked(invalidate, ByteRange{offset, kPageBytes});  // no space for more
  }
  return status;
}

absl::Status HostMapping::PopulateLocked(const InvalidateHeld& invalidate, const ByteRange& pages) {
  AddressSpace& space = file_->address_space();
  if (table_->notes_stores()) {
    IOMAP_RETURN_IF_ERROR(space.PopulateWrite(*file_, invalidate, pages, nullptr));
    return MapExtents(invalidate, pages);
  }
  if (sync_ == MapSync::kYes) {
    IOMAP_RETURN_IF_ERROR(space.PopulateWrite(*file_, invalidate, pages, nullptr));
    IOMAP_RETURN_IF_ERROR(file_->FsyncLocked(invalidate, ByteRange(), SyncKind::kData));
  }
  return space.PopulateWrite(*file_, invalidate, pages, table_.get());
}

absl::StatusOr<ByteRange> HostMapping::AroundStore(uint64_t offset, uint64_t size) {
  ByteRange around{offset, kPageBytes};
  {
    const MutexLock lock(mutex_);
    ahead_ = offset == next_in_sequence_ ? std::min(2 * ahead_, kMostAhead) : kPageBytes;
    around.length = ahead_;
  }
  const ByteRange rest = ByteRange::Between(offset, size).AlignOutward(kPageBytes);
  IOMAP_ASSIGN_OR_RETURN(const Mapping mapping,
                         FirstMapping(*file_, &iomap::File::MapForReport, rest));
  if (mapping.type == MappingType::kMapped) {
    // Of shared blocks no more is copied than is stored to.
    around = HasOwnBlocks(mapping) && table_->protection_makes_pieces()
                 ? ByteRange{offset & ~(kCluster - 1), kCluster}
                 : ByteRange{offset, kPageBytes};
  }
  around = around.Intersect(WholePagesIn(mapping.range()))
               .Intersect(WindowAround(offset))
               .Intersect(PagesOf(size));
  if (around.empty()) {
    around = ByteRange{offset, kPageBytes};
  }
  const MutexLock lock(mutex_);
  next_in_sequence_ = around.end();
  return around;
}

absl::Status HostMapping::Populate(const ByteRange& range) {
  const FreezeGate::Passage passage(file_->freeze_gate(), FreezeGate::Level::kFault);
  const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file_->attributes());
  const ByteRange pages = range.AlignOutward(kPageBytes);
  if (!PagesOf(std::min(attributes.size, table_->size())).Contains(pages)) {
    return absl::OutOfRangeError(absl::StrCat("inode ", file_->inode(), ": bytes ", range.offset,
                                              " to ", range.end(),
                                              " pass the end of file or of the mapping"));
  }
  IOMAP_RETURN_IF_ERROR(table_->UnmapRefused(pages));
  std::vector<ByteRange> without;
  IOMAP_RETURN_IF_ERROR(
      ForEachMapping(*file_, &iomap::File::MapForReport, pages,
                     [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
                       if (!HasOwnBlocks(mapping)) {
                         without.push_back(part.AlignOutward(kPageBytes));
                       }
                       return Walk::kContinue;
                     }));
  for (const ByteRange& part : without) {
    IOMAP_RETURN_IF_ERROR(file_->address_space().PopulateWrite(*file_, invalidate, part, nullptr));
  }
  return MapExtents(invalidate, pages);
}

absl::Status HostMapping::Msync(const ByteRange& range) {
  return file_->Fsync(range, SyncKind::kData, error_cursor_);
}

absl::Status HostMapping::Fsync(SyncKind kind) {
  return file_->Fsync(ByteRange::All(), kind, error_cursor_);
}

absl::Status HostMapping::last_error() {
  const MutexLock lock(mutex_);
  return last_error_;
}

void Persist(const void* address, size_t bytes) { pmem_persist(address, bytes); }

}  // namespace iomap::dax
