#include "iomap/file.h"

#include "absl/strings/str_cat.h"

namespace iomap {

File::~File() = default;

absl::StatusOr<size_t> File::MapForReport(const ByteRange& range, absl::Span<Mapping> out) {
  return MapForRead(range, out);
}

absl::Status File::ReadInline(uint64_t /*offset*/, absl::Span<std::byte> /*out*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", inode_, ": no inline data here"));
}

}  // namespace iomap
