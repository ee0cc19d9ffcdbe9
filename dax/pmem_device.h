#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "dax/device.h"
#include "dax/msync_queue.h"

namespace iomap::dax {

// A file mapped by libpmem. On persistent memory (a DAX mount, /dev/dax, or whatever the
// environment says is one: PMEM_IS_PMEM_FORCE=1) stores become durable by the processor's own
// instructions, the best that libpmem finds: clwb, clflushopt or clflush, non-temporal stores, and
// sfence. On a file in the page cache they do not get past memory, and msync is what is left.
class PmemDevice : public Device {
 public:
  // Maps the file from byte `image_offset` to its end, for reading and writing. Unavailable, with
  // the library's own words, when it cannot be; OutOfRange when the offset is past its end.
  static absl::StatusOr<std::unique_ptr<PmemDevice>> Open(const std::string& path,
                                                          uint64_t image_offset);
  ~PmemDevice() override;

  bool is_persistent_memory() const { return is_pmem_; }

  absl::string_view kind() const override;
  absl::string_view flush() const override;
  std::optional<HostMemory> host_memory() const override;

 private:
  PmemDevice(int descriptor, std::byte* mapping, size_t mapping_size, size_t skipped_bytes,
             bool is_pmem);

  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override;
  absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) override;
  absl::Status StoreZeroes(const ByteRange& range) override;
  void FlushLines(const ByteRange& range) override;
  absl::Status DrainFlushed() override;

  std::byte* At(uint64_t address) const { return mapping_ + skipped_bytes_ + address; }

  const int descriptor_;
  std::byte* const mapping_;
  const size_t mapping_size_;
  const size_t skipped_bytes_;  // of the mapping, before byte 0 of the device
  const bool is_pmem_;
  MsyncQueue msync_queue_;  // when it is none
};

}  // namespace iomap::dax
