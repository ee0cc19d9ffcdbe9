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

absl::StatusOr<WriteMapping> File::MapForWrite(const IoExclusive& /*io*/,
                                               const ByteRange& /*range*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", inode_, ": no writing here"));
}

absl::Status File::Fallocate(FallocateMode mode, const ByteRange& /*range*/) {
  return absl::UnimplementedError(
      absl::StrCat("inode ", inode_, ": no ", FallocateModeName(mode), " here"));
}

absl::Status File::SetSize(uint64_t /*size*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", inode_, ": no change of size here"));
}

absl::Status File::CloneRange(File& /*source*/, uint64_t /*source_offset*/,
                              const ByteRange& /*target*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", inode_, ": no shared blocks here"));
}

absl::Status File::Fsync(const ByteRange& /*range*/, SyncKind /*kind*/) {
  return absl::UnimplementedError(absl::StrCat("inode ", inode_, ": no fsync here"));
}

bool File::UnchangedSince(uint64_t generation) const {
  // What was read through the mappings was read before this.
  std::atomic_thread_fence(std::memory_order_acquire);
  return generation_.load(std::memory_order_relaxed) == generation;
}

absl::string_view FallocateModeName(FallocateMode mode) {
  switch (mode) {
    case FallocateMode::kAllocate:
      return "allocate";
    case FallocateMode::kAllocateKeepSize:
      return "allocate, keep size";
    case FallocateMode::kPunchHole:
      return "punch hole";
    case FallocateMode::kZeroRange:
      return "zero range";
    case FallocateMode::kZeroRangeKeepSize:
      return "zero range, keep size";
    case FallocateMode::kCollapseRange:
      return "collapse range";
    case FallocateMode::kInsertRange:
      return "insert range";
    case FallocateMode::kUnshareRange:
      return "unshare range";
  }
  return "fallocate";
}

}  // namespace iomap
