#include "backends/xfs/log_buffer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

constexpr uint64_t kMostBlock = uint64_t{1} << 54;
constexpr uint32_t kMostMapWords = 32;  // twice what the largest buffer needs

template <typename... What>
absl::Status Damaged(const BufferPlace& place, const What&... what) {
  return DamagedLog(absl::StrCat("buffer at sector ", place.block, ": ", what...));
}

bool IsSet(const LogBuffer& buffer, uint32_t chunk) {
  return ((buffer.map[chunk / 32] >> (chunk % 32)) & 1) != 0;
}

}  // namespace

absl::StatusOr<BufferPlace> CheckBufferPlace(uint64_t block, uint64_t block_count) {
  const BufferPlace place{block, static_cast<uint32_t>(block_count)};
  if (block >= kMostBlock) {
    return Damaged(place, "no device is so large");
  }
  if (block_count == 0 || block_count > kMostLogBufferBlocks) {
    return Damaged(place, block_count, " sectors, from 1 to ", kMostLogBufferBlocks);
  }
  return place;
}

absl::StatusOr<LogBuffer> ParseLogBuffer(const LogItem& item) {
  const std::vector<std::byte>& region = item.regions.front();
  if (region.size() < sizeof(DiskLogBuffer)) {
    return DamagedLog(absl::StrCat("a buffer item of ", region.size(), " bytes"));
  }
  const auto disk = backends::CopyOut<DiskLogBuffer>(region.data());
  LogBuffer buffer{.flags = disk.flags.get()};
  IOMAP_ASSIGN_OR_RETURN(buffer.place,
                         CheckBufferPlace(disk.block_number.get(), disk.block_count.get()));
  const uint32_t words = disk.map_words.get();
  if (words > kMostMapWords || words > (region.size() - sizeof disk) / sizeof(Le32)) {
    return Damaged(buffer.place, "a map of ", words, " words in ", region.size(), " bytes");
  }
  for (uint32_t i = 0; i < words; ++i) {
    buffer.map.push_back(
        backends::Load<Le32>(region.data() + sizeof disk + size_t{i} * sizeof(Le32)));
  }
  return buffer;
}

absl::Status ForEachLoggedRun(
    const LogBuffer& buffer, const LogItem& item,
    absl::FunctionRef<absl::Status(uint32_t offset, absl::Span<const std::byte> bytes)> run) {
  const uint32_t chunk_count = static_cast<uint32_t>(buffer.map.size()) * 32;
  size_t next_region = 1;
  uint32_t chunk = 0;
  while (chunk < chunk_count) {
    if (!IsSet(buffer, chunk)) {
      ++chunk;
      continue;
    }
    uint32_t end = chunk + 1;
    while (end < chunk_count && IsSet(buffer, end)) {
      ++end;
    }
    if (next_region == item.regions.size()) {
      return Damaged(buffer.place, "no region for its byte ", chunk * kLogChunkBytes);
    }
    // A run may be cut into several regions, where the buffer was not in one piece of memory.
    const absl::Span<const std::byte> region = item.regions[next_region++];
    const uint32_t chunks =
        std::min(end - chunk, static_cast<uint32_t>(region.size() / kLogChunkBytes));
    const uint32_t offset = chunk * kLogChunkBytes;
    if (chunks == 0 || uint64_t{chunk + chunks} * kLogChunkBytes > buffer.bytes()) {
      return Damaged(buffer.place, "a region of ", region.size(), " bytes for byte ", offset,
                     " of ", buffer.bytes());
    }
    IOMAP_RETURN_IF_ERROR(run(offset, region.first(size_t{chunks} * kLogChunkBytes)));
    chunk += chunks;
  }
  return absl::OkStatus();
}

}  // namespace iomap::xfs
