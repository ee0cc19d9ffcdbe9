#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "dax/file.h"
#include "dax/host_mapping.h"
#include "dax/soft_mapping.h"

namespace iomap::conformance {

// A mapping of a file, of either kind, with calls for loads and stores.
class MappedFile {
 public:
  explicit MappedFile(std::unique_ptr<dax::SoftMapping> soft) : soft_(std::move(soft)) {}
  explicit MappedFile(std::unique_ptr<dax::HostMapping> host) : host_(std::move(host)) {}

  // An access that ends in SIGBUS, or passes the mapping, has the error that SoftMapping gives.
  absl::Status Load(uint64_t offset, absl::Span<std::byte> out);
  absl::Status Store(uint64_t offset, absl::Span<const std::byte> bytes);

  absl::Status Msync(const ByteRange& range) {
    return soft_ != nullptr ? soft_->Msync(range) : host_->Msync(range);
  }
  absl::Status Fsync(SyncKind kind = SyncKind::kFile) {
    return soft_ != nullptr ? soft_->Fsync(kind) : host_->Fsync(kind);
  }
  dax::File& file() { return soft_ != nullptr ? soft_->file() : host_->file(); }

 private:
  // From or to the host's.
  absl::Status CopyHost(uint64_t offset, std::byte* out, const std::byte* in, size_t bytes);

  std::unique_ptr<dax::SoftMapping> soft_ = nullptr;
  std::unique_ptr<dax::HostMapping> host_ = nullptr;
};

}  // namespace iomap::conformance
