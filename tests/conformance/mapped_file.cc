#include "tests/conformance/mapped_file.h"

#include "tests/support/sigbus.h"

namespace iomap::conformance {

absl::Status MappedFile::Load(uint64_t offset, absl::Span<std::byte> out) {
  return soft_ != nullptr ? soft_->Load(offset, out)
                          : CopyHost(offset, out.data(), nullptr, out.size());
}

absl::Status MappedFile::Store(uint64_t offset, absl::Span<const std::byte> in) {
  return soft_ != nullptr ? soft_->Store(offset, in)
                          : CopyHost(offset, nullptr, in.data(), in.size());
}

absl::Status MappedFile::CopyHost(uint64_t offset, std::byte* out, const std::byte* in,
                                  size_t bytes) {
  if (offset + bytes > host_->bytes().size()) {
    return absl::OutOfRangeError("past the end of the mapping");
  }
  std::byte* const mapped = host_->bytes().data() + offset;
  const bool copied = out != nullptr ? tests::CopyUnlessSigbus(out, mapped, bytes)
                                     : tests::CopyUnlessSigbus(mapped, in, bytes);
  return copied ? absl::OkStatus() : host_->last_error();
}

}  // namespace iomap::conformance
