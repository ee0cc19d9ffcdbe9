#include "dax/file_device.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "dax/racing_copy.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

absl::Status SystemError(absl::string_view call) {
  return absl::UnavailableError(absl::StrCat(call, ": ", std::strerror(errno)));
}

// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FileDevice>> FileDevice::OpenReadOnly(const std::string& path,
                                                                     uint64_t image_offset) {
  return Open(path, image_offset, Mode::kPrivate);
}

absl::StatusOr<std::unique_ptr<FileDevice>> FileDevice::OpenReadWrite(const std::string& path,
                                                                      uint64_t image_offset) {
  return Open(path, image_offset, Mode::kShared);
}

absl::StatusOr<std::unique_ptr<FileDevice>> FileDevice::Open(const std::string& path,
                                                             uint64_t image_offset, Mode mode) {
  const bool shared = mode == Mode::kShared;
  const Descriptor file(open(path.c_str(), (shared ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) {
    return SystemError("open");
  }
  struct stat status;
  if (fstat(file.number(), &status) != 0) {
    return SystemError("fstat");
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return absl::UnavailableError("neither a file nor a block device");
  }
  const off_t end = lseek(file.number(), 0, SEEK_END);
  if (end < 0) {
    return SystemError("lseek");
  }
  const uint64_t size = static_cast<uint64_t>(end);
  if (image_offset > size) {
    return absl::OutOfRangeError(
        absl::StrCat("image offset ", image_offset, " is past the end of the file, ", size));
  }
  const uint64_t page_size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t aligned_offset = image_offset & ~(page_size - 1);
  const uint64_t mapping_size = size - aligned_offset;
  void* mapping = nullptr;
  if (image_offset < size) {
    mapping = mmap(nullptr, mapping_size, shared ? PROT_READ | PROT_WRITE : PROT_READ,
                   shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, file.number(),
                   static_cast<off_t>(aligned_offset));
    if (mapping == MAP_FAILED) {
      return SystemError("mmap");
    }
    // Metadata is scattered: read ahead for it would fetch, and count as ours, what nobody asked
    // for.
    madvise(mapping, mapping_size, MADV_RANDOM);
  }
  return std::unique_ptr<FileDevice>(new FileDevice(
      mapping, mapping_size, image_offset - aligned_offset, S_ISBLK(status.st_mode), mode));
}

FileDevice::FileDevice(void* mapping, size_t mapping_size, size_t skipped_bytes,
                       bool is_block_device, Mode mode)
    : mapping_(mapping),
      mapping_size_(mapping_size),
      skipped_bytes_(skipped_bytes),
      is_block_device_(is_block_device),
      mode_(mode) {
  if (mapping != nullptr) {
    set_bytes(absl::MakeConstSpan(static_cast<const std::byte*>(mapping), mapping_size)
                  .subspan(skipped_bytes));
  }
}

FileDevice::~FileDevice() {
  if (mapping_ != nullptr) {
    munmap(mapping_, mapping_size_);
  }
}

absl::Status FileDevice::MakeWritable() {
  std::call_once(writable_, [this] {
    if (mode_ == Mode::kPrivate && mprotect(mapping_, mapping_size_, PROT_READ | PROT_WRITE) != 0) {
      writable_status_ = SystemError("mprotect");
    }
  });
  return writable_status_;
}

absl::Status FileDevice::Store(uint64_t address, absl::Span<const std::byte> bytes) {
  IOMAP_RETURN_IF_ERROR(MakeWritable());
  CopyRacing(static_cast<std::byte*>(mapping_) + skipped_bytes_ + address, bytes.data(),
             bytes.size());
  return absl::OkStatus();
}

absl::Status FileDevice::StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) {
  IOMAP_RETURN_IF_ERROR(Store(address, bytes));
  FlushLines(ByteRange{address, bytes.size()});  // after it: a drain of another thread may come
  return absl::OkStatus();
}

void FileDevice::FlushLines(const ByteRange& range) {
  if (mode_ == Mode::kShared) {
    msync_queue_.Note(ByteRange{skipped_bytes_ + range.offset, range.length});
  }
}

absl::Status FileDevice::DrainFlushed() {
  return mode_ == Mode::kShared ? msync_queue_.Drain(mapping_) : absl::OkStatus();
}

absl::string_view FileDevice::kind() const { return is_block_device_ ? "block device" : "file"; }

absl::string_view FileDevice::flush() const {
  return mode_ == Mode::kShared ? "msync" : "nothing: opened read-only, stores stay in memory";
}

}  // namespace iomap::dax
