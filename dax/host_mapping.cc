#include "dax/host_mapping.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// How much is mapped around a page that was touched.
constexpr uint64_t kWindow = kHugePageBytes;

}  // namespace

absl::StatusOr<std::unique_ptr<HostMapping>> HostMapping::Make(std::shared_ptr<File> file,
                                                               const Options& options) {
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
  IOMAP_ASSIGN_OR_RETURN(
      std::unique_ptr<HostPageTable> table,
      HostPageTable::Make(options.bytes == 0 ? attributes.size : options.bytes, options.faults));
  const int wake_up = eventfd(0, EFD_CLOEXEC);
  if (wake_up < 0) {
    return absl::UnavailableError(absl::StrCat("eventfd: ", std::strerror(errno)));
  }
  auto mapping = std::unique_ptr<HostMapping>(
      new HostMapping(std::move(file), std::move(table), options.sync, wake_up));
  IOMAP_RETURN_IF_ERROR(mapping->MapExtents(ByteRange{0, mapping->table_->size()}));
  return mapping;
}

HostMapping::HostMapping(std::shared_ptr<File> file, std::unique_ptr<HostPageTable> table,
                         MapSync sync, int wake_up)
    : file_(std::move(file)),
      table_(std::move(table)),
      sync_(sync),
      error_cursor_(file_->address_space().ErrorCursor()),
      wake_up_(wake_up),
      reader_([this] { ReadFaults(); }),
      resolver_([this] { ResolveFaults(); }) {
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
  {
    const MutexLock lock(mutex_);
    ends_ = true;
    queued_.NotifyAll();
  }
  resolver_.join();
  close(wake_up_);
}

absl::Status HostMapping::MapExtents(const ByteRange& range) {
  const InvalidateShared invalidate = file_->locks().LockInvalidateShared();
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file_->attributes());
  const ByteRange pages = range.Intersect(ByteRange{0, attributes.size}.AlignOutward(kPageBytes));
  if (pages.empty()) {
    return absl::OkStatus();
  }
  if (sync_ == MapSync::kYes) {
    // No store to what is mapped here will fault: it must be found after a crash from now on.
    IOMAP_RETURN_IF_ERROR(file_->FsyncLocked(invalidate, ByteRange(), SyncKind::kData));
  }
  // Blocks that are the file's alone stay where they are while the lock is shared.
  return ForEachMapping(
      *file_, &iomap::File::MapForReport, pages,
      [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
        const uint64_t begin = (part.offset + kPageBytes - 1) & ~(kPageBytes - 1);
        const ByteRange whole =
            ByteRange::Between(begin, std::max(begin, part.end() & ~(kPageBytes - 1)));
        const bool own = mapping.type == MappingType::kMapped &&
                         !HasFlag(mapping.flags, MappingFlag::kShared) &&
                         !HasFlag(mapping.flags, MappingFlag::kEncoded);
        if (own && !whole.empty() && mapping.AddressOf(whole.offset) % kPageBytes == 0) {
          IOMAP_RETURN_IF_ERROR(table_->MapUnmapped(whole, *file_->devices()[mapping.device],
                                                    mapping.AddressOf(whole.offset)));
        }
        return Walk::kContinue;
      });
}

void HostMapping::ReadFaults() {
  const std::array<pollfd, 2> faults = table_->descriptors();
  std::array<pollfd, 3> descriptors = {faults[0], faults[1], pollfd{wake_up_, POLLIN, 0}};
  while (true) {
    if (poll(descriptors.data(), descriptors.size(), -1) < 0) {
      continue;  // EINTR
    }
    bool any = false;
    for (std::optional<HostPageTable::Fault> fault = table_->NextFault(); fault.has_value();
         fault = table_->NextFault()) {
      const MutexLock lock(mutex_);
      queue_.push_back(*fault);
      any = true;
    }
    if (any) {
      const MutexLock lock(mutex_);
      queued_.NotifyOne();
    }
    if (descriptors[2].revents != 0) {
      return;
    }
  }
}

void HostMapping::ResolveFaults() {
  while (true) {
    HostPageTable::Fault fault = {};
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !ends_) {
        queued_.Wait(mutex_);
      }
      if (queue_.empty()) {
        return;
      }
      fault = queue_.front();
      queue_.pop_front();
    }
    const ByteRange page{fault.offset, kPageBytes};
    if (const absl::Status status = Resolve(fault); !status.ok()) {
      {
        const MutexLock lock(mutex_);
        last_error_ = status;
      }
      table_->Refuse(page).IgnoreError();  // without room for that, it faults again
    }
    table_->Wake(page);
  }
}

absl::Status HostMapping::Resolve(const HostPageTable::Fault& fault) {
  const uint64_t window = fault.offset & ~(kWindow - 1);
  IOMAP_RETURN_IF_ERROR(MapExtents(ByteRange{window, kWindow}));
  return file_->address_space().Fault(*file_, *table_, fault.offset, fault.access, sync_);
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

}  // namespace iomap::dax
