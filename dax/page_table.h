#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "dax/device.h"
#include "iomap/byte_range.h"

namespace iomap::dax {

// What a page is touched for.
enum class Access : uint8_t { kRead, kWrite };

// One view of a file's pages, as a process has with mmap: from pages of the file to bytes of a
// device. Faults fill it, under the entry lock of the pages concerned; write-back and eviction
// reach each table of a file through its address space. `pages` are whole pages of the file; parts
// that a table does not show, or has not mapped, are passed over. Safe for concurrent use; the
// locks of an implementation rank as leaves, or, where it calls back, as page tables.
//
// There are two kinds. In one, a store to a page that is not mapped for stores faults, so that who
// maps it marks it dirty. The other notes stores to the pages that are mapped for them, without a
// fault, and says which they were when it is asked.
class PageTable {
 public:
  virtual ~PageTable();
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  // Makes `pages` reachable, for loads alone or for stores too. They lie contiguously from
  // `address` on.
  virtual absl::Status Map(const ByteRange& pages, Device& device, uint64_t address,
                           Access access) = 0;
  // Makes loads of `pages` give zeros; a store faults.
  virtual absl::Status MapZeroes(const ByteRange& pages) = 0;
  virtual void Unmap(const ByteRange& pages) = 0;
  // The next store to `pages` faults (mkclean). When this returns, stores that were under way are
  // done.
  virtual void WriteProtect(const ByteRange& pages) = 0;

  // True when faults should try to map 2 MiB at once.
  virtual bool wants_huge_pages() const = 0;

  // True when pages whose blocks are the file's alone are mapped though there may be no entry for
  // them: whoever takes pages away unmaps them, whatever the entries say.
  virtual bool maps_ahead() const { return false; }

  // Of the second kind: WriteProtect, and Unmap for pages that stay the file's, do not apply.
  virtual bool notes_stores() const { return false; }
  // Pages that were stored to, and where they lie.
  struct WrittenPages {
    ByteRange pages;
    const Device* device;
    uint64_t address;
  };
  // Called with the table locked: who asks next learns what has been noted of them.
  using Written = absl::FunctionRef<void(absl::Span<const WrittenPages>)>;
  // Says which pages were stored to since it was asked last; a store is seen by this call or by
  // the next.
  virtual absl::Status TakeWritten(const ByteRange& /*pages*/, Written /*written*/) {
    return absl::OkStatus();
  }
  // Unmaps, and says the same, with no store unseen.
  virtual absl::Status UnmapTakingWritten(const ByteRange& pages, Written /*written*/) {
    Unmap(pages);
    return absl::OkStatus();
  }

 protected:
  PageTable() = default;
};

}  // namespace iomap::dax
