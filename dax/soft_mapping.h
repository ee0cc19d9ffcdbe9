#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/file.h"
#include "dax/soft_page_table.h"

namespace iomap::dax {

// Pages of a file that are held in place, and stored to without a page table: what get_user_pages
// gives a device. Whoever wants to take their blocks away waits for the end of it.
class PagePin {
 public:
  PagePin(PagePin&&) = default;
  PagePin& operator=(PagePin&&) = delete;
  // The pages count as dirty from here on: they may have been stored to.
  ~PagePin();

  // Stores to bytes of one of the pinned pages.
  void Store(uint64_t offset, absl::Span<const std::byte> bytes);

 private:
  friend class SoftMapping;
  struct Page {
    Slot slot;
    Entry place;
  };
  explicit PagePin(std::shared_ptr<File> file) : file_(std::move(file)) {}

  std::shared_ptr<File> file_;  // null: moved from
  std::vector<Page> pages_;
};

// What mmap gives, with calls for loads and stores. Several of one file are aliases. Safe for
// concurrent use.
class SoftMapping {
 public:
  struct Options {
    PageSize largest_page = PageSize::kBase;
    MapSync sync = MapSync::kNo;
  };

  explicit SoftMapping(std::shared_ptr<File> file) : SoftMapping(std::move(file), Options()) {}
  SoftMapping(std::shared_ptr<File> file, const Options& options);
  ~SoftMapping();  // munmap: what was stored stays dirty
  SoftMapping(const SoftMapping&) = delete;
  SoftMapping& operator=(const SoftMapping&) = delete;

  // OutOfRange past the page of the end of file (SIGBUS), with the bytes before it done; what
  // AddressSpace::Fault says otherwise.
  absl::Status Load(uint64_t offset, absl::Span<std::byte> out);
  absl::Status Store(uint64_t offset, absl::Span<const std::byte> bytes);

  // msync(MS_SYNC), and fsync of the descriptor that was mapped: an error that a write-back met is
  // reported once to each mapping.
  absl::Status Msync(const ByteRange& range);
  absl::Status Fsync(SyncKind kind = SyncKind::kFile);

  absl::StatusOr<PagePin> Pin(const ByteRange& range);

  File& file() { return *file_; }

 private:
  absl::Status Fault(uint64_t offset, Access access);

  const std::shared_ptr<File> file_;
  const Options options_;
  SoftPageTable table_;
  uint64_t error_cursor_;
};

}  // namespace iomap::dax
