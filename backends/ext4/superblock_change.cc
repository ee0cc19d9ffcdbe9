#include "backends/ext4/superblock_change.h"

#include <cstddef>

#include "absl/types/span.h"
#include "backends/crc32c.h"
#include "backends/endian.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {

absl::Status ChangeSuperblock(Volume& volume, absl::FunctionRef<void(DiskSuperblock&)> change) {
  constexpr ByteRange kPlace{kSuperblockOffset, sizeof(DiskSuperblock)};
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> lying, volume.device().View(kPlace));
  auto disk = backends::CopyOut<DiskSuperblock>(lying.data());
  change(disk);
  const auto bytes =
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&disk), sizeof(DiskSuperblock));
  if (volume.superblock().has_metadata_checksums()) {
    disk.checksum.set(backends::ExtendCrc32c(~0u, bytes.first(offsetof(DiskSuperblock, checksum))));
  }
  IOMAP_RETURN_IF_ERROR(volume.device().Write(kPlace.offset, bytes));
  IOMAP_RETURN_IF_ERROR(volume.device().Persist(kPlace));
  return volume.Reload();
}

}  // namespace iomap::ext4
