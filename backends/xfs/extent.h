#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backends/endian.h"
#include "backends/xfs/format.h"

namespace iomap::xfs {

// One record of a data fork: where a run of file blocks lies. All in file-system blocks.
struct Extent {
  uint64_t file_block = 0;
  uint64_t start_block = 0;  // fsblock; of a realtime file, block of the realtime device
  uint32_t block_count = 0;
  bool unwritten = false;

  uint64_t end() const { return file_block + block_count; }
};

// Extent number `index` of the packed records at `records`.
inline Extent DecodeExtent(const std::byte* records, uint32_t index) {
  const std::byte* const record = records + size_t{index} * sizeof(DiskExtent);
  const uint64_t high = backends::Load<Be64>(record + offsetof(DiskExtent, high));
  const uint64_t low = backends::Load<Be64>(record + offsetof(DiskExtent, low));
  return Extent{.file_block = (high & ~(uint64_t{1} << 63)) >> 9,
                .start_block = (high & 0x1FF) << 43 | low >> 21,
                .block_count = static_cast<uint32_t>(low & 0x1FFFFF),
                .unwritten = high >> 63 != 0};
}

// Packs an extent into the 16 bytes at `record`.
inline void EncodeExtent(const Extent& extent, std::byte* record) {
  DiskExtent disk;
  disk.high.set(uint64_t{extent.unwritten} << 63 | extent.file_block << 9 |
                extent.start_block >> 43);
  disk.low.set(extent.start_block << 21 | extent.block_count);
  std::memcpy(record, &disk, sizeof disk);
}

// Its file block alone: the key of the record.
inline uint64_t DecodeFileBlock(const std::byte* records, uint32_t index) {
  const uint64_t high = backends::Load<Be64>(records + size_t{index} * sizeof(DiskExtent));
  return (high & ~(uint64_t{1} << 63)) >> 9;
}

}  // namespace iomap::xfs
