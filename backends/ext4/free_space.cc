#include "backends/ext4/free_space.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/ext4/bitmap.h"
#include "backends/ext4/format.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bits = absl::Span<std::byte>;
using ConstBits = absl::Span<const std::byte>;

void SetBits(Bits bitmap, uint64_t begin, uint64_t end, bool value) {
  for (uint64_t bit = begin; bit < end;) {
    if (bit % 8 == 0 && end - bit >= 8) {
      const uint64_t bytes = (end - bit) / 8;
      std::memset(bitmap.data() + bit / 8, value ? 0xFF : 0, bytes);
      bit += 8 * bytes;
      continue;
    }
    const std::byte one{static_cast<unsigned char>(1u << (bit % 8))};
    bitmap[bit / 8] = value ? bitmap[bit / 8] | one : bitmap[bit / 8] & ~one;
    ++bit;
  }
}

uint64_t CountClear(ConstBits bitmap, uint64_t end) {
  uint64_t count = 0;
  for (uint64_t bit = FirstClearBit(bitmap, 0, end); bit < end;) {
    const uint64_t next = FirstSetBit(bitmap, bit, end);
    count += next - bit;
    bit = FirstClearBit(bitmap, next, end);
  }
  return count;
}

// Ascending and apart from each other: of a damaged file system they may overlap.
std::vector<BlockRun> Joined(std::vector<BlockRun> runs) {
  std::sort(runs.begin(), runs.end(),
            [](const BlockRun& a, const BlockRun& b) { return a.start < b.start; });
  std::vector<BlockRun> joined;
  for (const BlockRun& run : runs) {
    if (joined.empty() || run.start > joined.back().end()) {
      joined.push_back(run);
    } else {
      joined.back().length = std::max(joined.back().end(), run.end()) - joined.back().start;
    }
  }
  return joined;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FreeSpace>> FreeSpace::Open(const Volume& volume,
                                                           backends::TransactionEngine& engine,
                                                           uint64_t kept_free) {
  const Superblock& superblock = volume.superblock();
  IOMAP_CHECK(superblock.blocks_per_cluster == 1);
  std::unique_ptr<FreeSpace> space(new FreeSpace(volume, engine, kept_free));
  uint64_t free = 0;
  for (uint64_t number = 0; number < superblock.group_count; ++number) {
    auto state = std::make_unique<GroupState>();
    IOMAP_ASSIGN_OR_RETURN(state->descriptor, ReadGroup(volume, number));
    const Group& group = state->descriptor;
    free += group.free_clusters;
    space->metadata_.push_back({group.block_bitmap_block, 1});
    space->metadata_.push_back({group.inode_bitmap_block, 1});
    space->metadata_.push_back({group.inode_table_block, InodeTableBlocks(superblock)});
    if (superblock.GroupHasSuperblock(number)) {
      const uint64_t descriptors_per_block = superblock.block_size / superblock.descriptor_size;
      space->metadata_.push_back(
          {space->FirstBlock(number),
           1 + (superblock.group_count + descriptors_per_block - 1) / descriptors_per_block +
               superblock.reserved_descriptor_blocks});
    }
    space->groups_.push_back(std::move(state));
  }
  space->metadata_ = Joined(std::move(space->metadata_));
  space->free_ = free;
  return space;
}

uint64_t FreeSpace::GroupOf(uint64_t block) const {
  const Superblock& superblock = volume_.superblock();
  return (block - superblock.first_data_block) / superblock.blocks_per_group;
}

uint64_t FreeSpace::FirstBlock(uint64_t group) const {
  const Superblock& superblock = volume_.superblock();
  return superblock.first_data_block + group * superblock.blocks_per_group;
}

uint64_t FreeSpace::BlocksOf(uint64_t group) const {
  return std::min<uint64_t>(volume_.superblock().blocks_per_group,
                            volume_.superblock().block_count - FirstBlock(group));
}

bool FreeSpace::IsMetadata(const BlockRun& run) const {
  const auto behind =
      std::lower_bound(metadata_.begin(), metadata_.end(), run.end(),
                       [](const BlockRun& one, uint64_t block) { return one.start < block; });
  return behind != metadata_.begin() && std::prev(behind)->end() > run.start;
}

backends::Buffer FreeSpace::BufferOf(uint64_t block) const {
  return {block << volume_.superblock().block_shift, volume_.superblock().block_size, 0};
}

std::vector<BlockRun> FreeSpace::ByGroup(const BlockRun& run) const {
  std::vector<BlockRun> parts;
  for (uint64_t block = run.start; block < run.end();) {
    const uint64_t group = GroupOf(block);
    const uint64_t end = std::min(run.end(), FirstBlock(group) + BlocksOf(group));
    parts.push_back({block, end - block});
    block = end;
  }
  return parts;
}

uint64_t FreeSpace::available() const {
  const uint64_t free = free_.load(std::memory_order_relaxed);
  return free - std::min(free, kept_free_);
}

// ---- groups ----

std::vector<std::byte> FreeSpace::BitmapOfUnusedGroup(uint64_t group) const {
  std::vector<std::byte> bitmap(volume_.superblock().block_size);
  const uint64_t first = FirstBlock(group);
  const uint64_t count = BlocksOf(group);
  for (const BlockRun& run : metadata_) {
    const uint64_t begin = std::max(run.start, first);
    const uint64_t end = std::min(run.end(), first + count);
    if (begin < end) {
      SetBits(absl::MakeSpan(bitmap), begin - first, end - first, true);
    }
  }
  SetBits(absl::MakeSpan(bitmap), count, 8 * uint64_t{bitmap.size()}, true);
  return bitmap;
}

absl::Status FreeSpace::Load(uint64_t number) {
  GroupState& state = *groups_[number];
  if (state.loaded) {
    return absl::OkStatus();
  }
  state.loaded = true;
  const Superblock& superblock = volume_.superblock();
  state.has_bitmap = state.descriptor.has_block_bitmap;
  // Of a group without a place for its bitmap, or with a damaged one, nobody can tell what is free.
  state.usable = volume_.HasBlocks(state.descriptor.block_bitmap_block, 1);
  if (state.usable && !state.has_bitmap) {
    state.unavailable = BitmapOfUnusedGroup(number);
  } else if (state.usable) {
    const auto bitmap = engine_.Read(BufferOf(state.descriptor.block_bitmap_block));
    state.usable = bitmap.ok() && IsBlockBitmapWhole(superblock, state.descriptor, bitmap->bytes());
    if (state.usable) {
      state.unavailable.assign(bitmap->bytes().begin(), bitmap->bytes().end());
    }
  }
  // What the device does not have is given to nobody.
  const uint64_t first = FirstBlock(number);
  const uint64_t readable = std::min(
      BlocksOf(number), volume_.readable_blocks() - std::min(volume_.readable_blocks(), first));
  if (state.usable) {
    SetBits(absl::MakeSpan(state.unavailable), readable, 8 * uint64_t{state.unavailable.size()},
            true);
    if (first == 0) {
      SetBits(absl::MakeSpan(state.unavailable), 0, 1, true);  // the superblock's, in any case
    }
    state.free = CountClear(state.unavailable, BlocksOf(number));
  }
  return absl::OkStatus();
}

// ---- setting aside ----

absl::StatusOr<BlockRun> FreeSpace::Reserve(uint64_t goal, uint64_t wanted) {
  const Superblock& superblock = volume_.superblock();
  const uint64_t available_blocks = available();
  wanted = std::min({wanted, uint64_t{superblock.blocks_per_group}, available_blocks});
  goal = std::clamp(goal, superblock.first_data_block, superblock.block_count - 1);
  const uint64_t first_group = GroupOf(goal);
  for (uint64_t least = wanted; least > 0; least /= 2) {
    for (uint64_t i = 0; i < groups_.size(); ++i) {
      const uint64_t group = (first_group + i) % groups_.size();
      const uint64_t begin = i == 0 ? goal - FirstBlock(group) : 0;
      IOMAP_ASSIGN_OR_RETURN(const BlockRun run, ReserveInGroup(group, begin, wanted, least));
      if (run.length > 0) {
        return run;
      }
    }
  }
  return absl::ResourceExhaustedError(absl::StrCat("ext4: none of ", superblock.block_count,
                                                   " blocks can be given out, ", free_.load(),
                                                   " are free, ", kept_free_, " are reserved"));
}

absl::StatusOr<BlockRun> FreeSpace::ReserveInGroup(uint64_t group, uint64_t begin, uint64_t wanted,
                                                   uint64_t least) {
  GroupState& state = *groups_[group];
  const MutexLock lock(state.mutex);
  IOMAP_RETURN_IF_ERROR(Load(group));
  if (!state.usable || state.free < least || state.longest < least) {
    return BlockRun{};
  }
  const uint64_t end = BlocksOf(group);
  ClearRun run{begin, 0};
  if (begin > 0) {
    // What goes on behind the goal is worth more than length.
    run.length = FirstSetBit(state.unavailable, begin, std::min(end, begin + wanted)) - begin;
    if (run.length == 0) {
      run = FindClearRun(state.unavailable, begin, end, wanted);
      run.length = run.length < least ? 0 : run.length;
    }
  }
  if (run.length == 0) {
    run = FindClearRun(state.unavailable, 0, end, wanted);
    if (run.length < wanted) {
      state.longest = run.length;
    }
    if (run.length < least) {
      return BlockRun{};
    }
  }
  SetBits(absl::MakeSpan(state.unavailable), run.begin, run.begin + run.length, true);
  state.free -= run.length;
  free_ -= run.length;
  return BlockRun{FirstBlock(group) + run.begin, run.length};
}

void FreeSpace::Unreserve(const BlockRun& run) {
  for (const BlockRun& part : ByGroup(run)) {
    const uint64_t group = GroupOf(part.start);
    GroupState& state = *groups_[group];
    const MutexLock lock(state.mutex);
    if (state.usable) {
      const uint64_t begin = part.start - FirstBlock(group);
      SetBits(absl::MakeSpan(state.unavailable), begin, begin + part.length, false);
      state.free += part.length;
      state.longest = ~uint64_t{0};
      free_ += part.length;
    }
  }
}

// ---- in transactions ----

backends::Credits FreeSpace::CreditsOfRun() const {
  return backends::Credits::Of(2, volume_.superblock().block_size);
}

absl::Status FreeSpace::Allocate(backends::Handle& handle, const BlockRun& run) {
  return Change(handle, run, /*in_use=*/true);
}

absl::Status FreeSpace::Free(backends::Handle& handle, const BlockRun& run) {
  IOMAP_RETURN_IF_ERROR(Change(handle, run, /*in_use=*/false));
  handle.WhenDurable([this, run] { Unreserve(run); });
  return absl::OkStatus();
}

absl::Status FreeSpace::Change(backends::Handle& handle, const BlockRun& run, bool in_use) {
  const Superblock& superblock = volume_.superblock();
  const uint64_t group = GroupOf(run.start);
  IOMAP_CHECK(run.length > 0 && GroupOf(run.end() - 1) == group);
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("ext4 group ", group, ": ", run.length,
                                            " blocks from block ", run.start, " are to be ",
                                            in_use ? "in use" : "free", ", ", what));
  };
  if (IsMetadata(run)) {
    return damaged("and are the file system's own");
  }
  GroupState& state = *groups_[group];
  const MutexLock lock(state.mutex);
  IOMAP_RETURN_IF_ERROR(Load(group));
  if (!state.usable) {
    return damaged("and the bitmap is damaged");
  }
  const DescriptorPlace place = DescriptorPlaceOf(superblock, group);
  const backends::Buffer bitmap_buffer = BufferOf(state.descriptor.block_bitmap_block);
  const uint64_t begin = run.start - FirstBlock(group);
  const uint64_t end = begin + run.length;
  // All that can fail, before the first change.
  IOMAP_ASSIGN_OR_RETURN(const Bits descriptors, handle.Edit(BufferOf(place.block)));
  const Bits bytes = descriptors.subspan(place.offset, superblock.descriptor_size);
  DiskGroupDescriptor descriptor = LoadDescriptor(bytes);
  const uint32_t free = FreeClustersOf(descriptor);
  Bits bitmap;
  if (state.has_bitmap) {
    IOMAP_ASSIGN_OR_RETURN(bitmap, handle.Edit(bitmap_buffer));
    const uint64_t first_wrong =
        in_use ? FirstSetBit(bitmap, begin, end) : FirstClearBit(bitmap, begin, end);
    if (first_wrong != end) {
      return damaged(absl::StrCat("and block ", FirstBlock(group) + first_wrong,
                                  " is so already in the bitmap"));
    }
  } else if (!in_use) {
    return damaged("and the group was never used");
  }
  if (in_use ? free < run.length : free + run.length > BlocksOf(group)) {
    return damaged(absl::StrCat("and its descriptor counts ", free, " free ones"));
  }
  if (!state.has_bitmap) {
    bitmap = handle.Create(bitmap_buffer);
    const std::vector<std::byte> first = BitmapOfUnusedGroup(group);
    std::copy(first.begin(), first.end(), bitmap.begin());
    descriptor.flags.set(descriptor.flags.get() &
                         static_cast<uint16_t>(~kGroupBlocksUninitialised));
    state.has_bitmap = true;
  }
  SetBits(bitmap, begin, end, in_use);
  const uint64_t now_free = in_use ? free - run.length : free + run.length;
  descriptor.free_blocks_lo.set(static_cast<uint16_t>(now_free));
  descriptor.free_blocks_hi.set(static_cast<uint16_t>(now_free >> 16));
  if (superblock.has_metadata_checksums()) {
    const uint32_t checksum = BlockBitmapChecksum(superblock, bitmap);
    descriptor.block_bitmap_checksum_lo.set(static_cast<uint16_t>(checksum));
    descriptor.block_bitmap_checksum_hi.set(static_cast<uint16_t>(checksum >> 16));
  }
  StoreDescriptor(superblock, group, descriptor, bytes);
  return absl::OkStatus();
}

}  // namespace iomap::ext4
