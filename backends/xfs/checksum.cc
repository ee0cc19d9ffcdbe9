#include "backends/xfs/checksum.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/endian.h"
#include "backends/xfs/log_format.h"
#include "backends/xfs/superblock.h"

namespace iomap::xfs {
namespace {

uint32_t ChecksumOf(absl::Span<const std::byte> bytes, size_t crc_offset) {
  uint32_t crc = backends::ExtendCrc32c(~uint32_t{0}, bytes.first(crc_offset));
  crc = backends::ExtendCrc32cByZeros(crc, sizeof crc);
  return ~backends::ExtendCrc32c(crc, bytes.subspan(crc_offset + sizeof crc));
}

}  // namespace

bool ChecksumMatches(absl::Span<const std::byte> bytes, size_t crc_offset) {
  return backends::Load<Le32>(bytes.data() + crc_offset) == ChecksumOf(bytes, crc_offset);
}

void PutChecksum(absl::Span<std::byte> bytes, size_t crc_offset) {
  backends::Store<Le32>(bytes.data() + crc_offset, ChecksumOf(bytes, crc_offset));
}

absl::Status CheckSelfDescription(const Superblock& superblock, const SelfDescription& layout,
                                  absl::Span<const std::byte> block, uint64_t address,
                                  uint64_t owner) {
  if (!ChecksumMatches(block, layout.crc)) {
    return absl::DataLossError("checksum is wrong");
  }
  const uint64_t block_number = backends::Load<Be64>(block.data() + layout.block_number);
  if (block_number != address / kBasicBlockSize) {
    return absl::DataLossError(absl::StrCat("it says that it is sector ", block_number,
                                            ", it lies at ", address / kBasicBlockSize));
  }
  if (std::memcmp(block.data() + layout.uuid, superblock.meta_uuid.data(),
                  superblock.meta_uuid.size()) != 0) {
    return absl::DataLossError("it carries the UUID of another file system");
  }
  const uint64_t found_owner = layout.owner_bytes == sizeof(uint64_t)
                                   ? backends::Load<Be64>(block.data() + layout.owner)
                                   : backends::Load<Be32>(block.data() + layout.owner);
  if (found_owner != owner) {
    return absl::DataLossError(absl::StrCat("it belongs to ", found_owner));
  }
  return absl::OkStatus();
}

}  // namespace iomap::xfs
