#include "iomap/get_block.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "iomap/check.h"
#include "iomap/for_each_mapping.h"
#include "iomap/mapping_writer.h"

namespace iomap {
namespace {

absl::StatusOr<Mapping> MappingOf(const BlockAnswer& answer, uint64_t file_block,
                                  uint32_t block_size) {
  const uint64_t most_blocks = ByteRange::kMaxOffset / block_size;  // that a device can have
  const bool allocated = HasState(answer.state, BufferState::kMapped) ||
                         HasState(answer.state, BufferState::kUnwritten);
  const bool delayed = HasState(answer.state, BufferState::kDelay);
  const bool past_any_device =
      answer.blocks > most_blocks || answer.block > most_blocks - answer.blocks;
  if (answer.blocks == 0 || (allocated && (delayed || past_any_device))) {
    return absl::InternalError(absl::StrCat(
        "file block ", file_block, ": get_block answered state ", static_cast<int>(answer.state),
        ", block ", answer.block, ", ", answer.blocks, " blocks"));
  }
  // The file's last block is not whole: its end is cut off at the largest offset.
  const uint64_t offset = file_block * block_size;
  const uint64_t most_length = ByteRange::kMaxOffset - offset;
  Mapping mapping{
      .offset = offset,
      .length = answer.blocks > most_length / block_size ? most_length : answer.blocks * block_size,
      .device = answer.device};
  if (delayed) {
    mapping.type = MappingType::kDelalloc;
  } else if (allocated) {
    mapping.type = HasState(answer.state, BufferState::kUnwritten) ? MappingType::kUnwritten
                                                                   : MappingType::kMapped;
    mapping.address = answer.block * block_size;
  }
  if (HasState(answer.state, BufferState::kNew)) {
    mapping.flags = MappingFlag::kNew;
  }
  return mapping;
}

}  // namespace

absl::StatusOr<size_t> MapByGetBlock(GetBlock get_block, uint32_t block_size,
                                     const ByteRange& range, absl::Span<Mapping> out,
                                     size_t most_calls) {
  IOMAP_CHECK(most_calls > 0);
  MappingWriter writer(range, out);
  const uint64_t last_block = (range.end() - 1) / block_size;
  uint64_t file_block = range.offset / block_size;
  IOMAP_ASSIGN_OR_RETURN(BlockAnswer answer, get_block(file_block));
  IOMAP_ASSIGN_OR_RETURN(Mapping run, MappingOf(answer, file_block, block_size));
  for (size_t calls = 1; calls < most_calls; ++calls) {
    file_block = run.end() / block_size;
    if (file_block > last_block) {
      break;
    }
    IOMAP_ASSIGN_OR_RETURN(answer, get_block(file_block));
    IOMAP_ASSIGN_OR_RETURN(const Mapping next, MappingOf(answer, file_block, block_size));
    if (run.ContinuesIn(next)) {
      run.length += next.length;
      continue;
    }
    if (!writer.Append(run)) {
      return writer.count();
    }
    run = next;
  }
  writer.Append(run);
  return writer.count();
}

absl::StatusOr<BlockAnswer> GetBlockOf(File& file, uint64_t file_block, uint32_t block_size) {
  if (file_block > (ByteRange::kMaxOffset - 1) / block_size) {
    return absl::OutOfRangeError(
        absl::StrCat("inode ", file.inode(), ": file block ", file_block, " passes 2^63-1 bytes"));
  }
  const uint64_t position = file_block * block_size;
  IOMAP_ASSIGN_OR_RETURN(const Mapping mapping, MappingAt(file, &File::MapForRead, position));
  BlockAnswer answer{.device = mapping.device,
                     .blocks = std::max<uint64_t>(1, (mapping.end() - position) / block_size)};
  switch (mapping.type) {
    case MappingType::kHole:
      break;
    case MappingType::kDelalloc:
      answer.state = BufferState::kDelay;
      break;
    case MappingType::kMapped:
      answer.state = BufferState::kMapped;
      break;
    case MappingType::kUnwritten:
      answer.state = BufferState::kMapped | BufferState::kUnwritten;
      break;
    case MappingType::kInline:
      return absl::FailedPreconditionError(
          absl::StrCat("inode ", file.inode(), ": inline data has no block number"));
  }
  if (mapping.has_address()) {
    answer.block = mapping.AddressOf(position) / block_size;
  }
  if (HasFlag(mapping.flags, MappingFlag::kNew)) {
    answer.state = answer.state | BufferState::kNew;
  }
  return answer;
}

}  // namespace iomap
