#include "iomap/bmap.h"

#include "absl/strings/str_cat.h"
#include "iomap/for_each_mapping.h"

namespace iomap {

absl::StatusOr<uint64_t> Bmap(File& file, uint64_t file_block, uint32_t block_size) {
  if (file_block > (ByteRange::kMaxOffset - 1) / block_size) {
    return absl::OutOfRangeError(
        absl::StrCat("inode ", file.inode(), ": file block ", file_block, " passes 2^63-1 bytes"));
  }
  const uint64_t position = file_block * block_size;
  IOMAP_ASSIGN_OR_RETURN(const Mapping mapping, MappingAt(file, &File::MapForRead, position));
  if (mapping.type != MappingType::kMapped) {
    return 0;
  }
  if (mapping.device != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("inode ", file.inode(), ": its blocks lie on device ", mapping.device));
  }
  return mapping.AddressOf(position) / block_size;
}

}  // namespace iomap
