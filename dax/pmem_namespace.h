#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "dax/device.h"

namespace iomap::dax {

// The block device that a driver makes of persistent memory: the first of the three ways to write.
// (The second is Write of io.h, the third a store through a mapping, which fsync makes durable.)
// Names as in the driver, drivers/nvdimm/pmem.c. Safe for concurrent use.
class PmemNamespace {
 public:
  // What a flush request (REQ_FLUSH) does.
  enum class FlushMode : uint8_t {
    // A drain: enough for what was stored past the caches, and nothing for what lies in them.
    kTrailingDrain,
    // Every line of the namespace is written back, then a drain: enough for all that was stored, by
    // anybody, at the price of the whole namespace. (The mail thread's "big hammer".)
    kBigHammer,
    // Nothing, and the drains of requests and of REQ_FUA are left out too: a device that ignores
    // flushes.
    kNothing,
  };

  // Which requests end with a drain of their own.
  enum class RequestDrain : uint8_t {
    kEach,     // all: durable on return, as in the driver of 2015
    kFuaOnly,  // those with REQ_FUA; the others are durable with the next REQ_FLUSH
  };

  enum class Fua : bool { kNo, kYes };

  // `device` outlives the namespace.
  PmemNamespace(Device& device, FlushMode mode, RequestDrain request_drain = RequestDrain::kEach)
      : device_(device), mode_(mode), request_drain_(request_drain) {}

  // pmem_make_request: one request of a file system or of the block layer.
  absl::Status MakeRequest(uint64_t address, absl::Span<const std::byte> bytes, Fua fua = Fua::kNo);
  // pmem_rw_page: one whole page.
  absl::Status RwPage(uint64_t page_number, absl::Span<const std::byte> page);
  // pmem_rw_bytes: any bytes, for metadata of the driver's own.
  absl::Status RwBytes(uint64_t address, absl::Span<const std::byte> bytes);

  // REQ_FLUSH: what a file system sends when its journal needs an order, and at the end of fsync.
  absl::Status Flush();

 private:
  absl::Status Put(uint64_t address, absl::Span<const std::byte> bytes, Fua fua);

  Device& device_;
  const FlushMode mode_;
  const RequestDrain request_drain_;
};

}  // namespace iomap::dax
