#include "dax/entry_table.h"

#include <algorithm>

#include "iomap/check.h"

namespace iomap::dax {
namespace {

constexpr int kDeviceShift = 2;

// Whether there is a list of the chunks that have it.
constexpr bool IsListed(Tag tag) { return tag == Tag::kDirty || tag == Tag::kToWrite; }

}  // namespace

EntryTable::Packed EntryTable::Pack(const Entry& entry) {
  return entry.address | (uint64_t{entry.device} << kDeviceShift) |
         (static_cast<uint64_t>(entry.kind) + 1);
}

Entry EntryTable::Unpack(Packed packed) {
  return Entry{static_cast<EntryKind>((packed & 3) - 1),
               static_cast<uint8_t>((packed & (kPageBytes - 1)) >> kDeviceShift),
               packed & ~(kPageBytes - 1)};
}

Slot EntryTable::SlotOf(uint64_t index, const Chunk& chunk, uint64_t bit) {
  return Slot{index * kPagesPerHugePage + bit, chunk.huge != 0 ? PageSize::kHuge : PageSize::kBase};
}

EntryTable::Chunk* EntryTable::FindChunk(uint64_t page) const {
  if (last_chunk_ == nullptr || last_index_ != ChunkOf(page)) {
    const auto found = chunks_.find(ChunkOf(page));
    last_index_ = ChunkOf(page);
    last_chunk_ = found == chunks_.end() ? nullptr : found->second.get();
  }
  return last_chunk_;
}

std::optional<Slot> EntryTable::Find(uint64_t page) const {
  const Chunk* chunk = FindChunk(page);
  if (chunk == nullptr) {
    return std::nullopt;
  }
  const uint64_t bit = chunk->huge != 0 ? 0 : page % kPagesPerHugePage;
  return chunk->present.test(bit) ? std::optional(SlotOf(ChunkOf(page), *chunk, bit))
                                  : std::nullopt;
}

std::optional<uint64_t> EntryTable::NextBit(uint64_t index, const Chunk& chunk,
                                            const PageBits& bits, uint64_t begin, uint64_t end) {
  if (chunk.huge != 0) {
    return bits.Next(0, 1);
  }
  const uint64_t first = index * kPagesPerHugePage;
  return bits.Next(begin > first ? begin - first : 0, std::min(end - first, kPagesPerHugePage));
}

std::optional<Slot> EntryTable::Next(uint64_t begin, uint64_t end) const {
  for (auto i = chunks_.lower_bound(ChunkOf(begin));
       i != chunks_.end() && i->first * kPagesPerHugePage < end; ++i) {
    const Chunk& chunk = *i->second;
    if (const auto bit = NextBit(i->first, chunk, chunk.present, begin, end); bit.has_value()) {
      return SlotOf(i->first, chunk, *bit);
    }
  }
  return std::nullopt;
}

std::optional<Slot> EntryTable::NextNotPresent(uint64_t begin, uint64_t end) const {
  for (auto i = chunks_.lower_bound(ChunkOf(begin));
       i != chunks_.end() && i->first * kPagesPerHugePage < end; ++i) {
    const Chunk& chunk = *i->second;
    if (const auto bit = NextBit(i->first, chunk, chunk.not_present, begin, end); bit.has_value()) {
      return SlotOf(i->first, chunk, *bit);
    }
  }
  return std::nullopt;
}

std::optional<Slot> EntryTable::NextTagged(Tag tag, uint64_t begin, uint64_t end) const {
  const absl::btree_set<uint64_t>& tagged = TaggedChunks(tag);
  for (auto i = tagged.lower_bound(ChunkOf(begin));
       i != tagged.end() && *i * kPagesPerHugePage < end; ++i) {
    const Chunk& chunk = *FindChunk(*i * kPagesPerHugePage);
    const PageBits& bits = chunk.tags[static_cast<size_t>(tag)];
    if (const auto bit = NextBit(*i, chunk, bits, begin, end); bit.has_value()) {
      return SlotOf(*i, chunk, *bit);
    }
  }
  return std::nullopt;
}

Entry EntryTable::Get(const Slot& slot) const {
  const Chunk* chunk = FindChunk(slot.page);
  IOMAP_CHECK(chunk != nullptr && chunk->present.test(BitOf(slot)));
  return Unpack(slot.size == PageSize::kHuge ? chunk->huge : (*chunk->base)[BitOf(slot)]);
}

bool EntryTable::IsPresent(const Slot& slot) const {
  const Chunk* chunk = FindChunk(slot.page);
  return chunk != nullptr && chunk->present.test(BitOf(slot)) &&
         !chunk->not_present.test(BitOf(slot));
}

void EntryTable::Set(const Slot& slot, const Entry& entry) {
  IOMAP_CHECK(entry.address % PageSizeBytes(slot.size) == 0);
  Chunk* chunk = FindChunk(slot.page);
  if (chunk == nullptr) {
    chunk = (chunks_[ChunkOf(slot.page)] = std::make_unique<Chunk>()).get();
    last_chunk_ = chunk;
  }
  if (slot.size == PageSize::kHuge) {
    IOMAP_CHECK(BitOf(slot) == 0 && (chunk->huge != 0 || !chunk->present.any()));
    chunk->huge = Pack(entry);
  } else {
    IOMAP_CHECK(chunk->huge == 0);
    if (chunk->base == nullptr) {
      chunk->base = std::make_unique<std::array<Packed, kPagesPerHugePage>>();
    }
    (*chunk->base)[BitOf(slot)] = Pack(entry);
  }
  chunk->present.set(BitOf(slot));
  if (entry.kind == EntryKind::kPresent) {
    chunk->not_present.reset(BitOf(slot));
  } else {
    chunk->not_present.set(BitOf(slot));
  }
}

void EntryTable::Erase(const Slot& slot) {
  ClearTag(slot, Tag::kDirty);
  ClearTag(slot, Tag::kToWrite);
  ClearTag(slot, Tag::kLocked);
  ClearTag(slot, Tag::kStored);
  Chunk* chunk = FindChunk(slot.page);
  IOMAP_CHECK(chunk != nullptr && chunk->present.test(BitOf(slot)));
  chunk->present.reset(BitOf(slot));
  chunk->not_present.reset(BitOf(slot));
  if (slot.size == PageSize::kHuge || !chunk->present.any()) {
    chunks_.erase(ChunkOf(slot.page));
    last_chunk_ = nullptr;
  }
}

bool EntryTable::IsTagged(const Slot& slot, Tag tag) const {
  const Chunk* chunk = FindChunk(slot.page);
  return chunk != nullptr && chunk->tags[static_cast<size_t>(tag)].test(BitOf(slot));
}

void EntryTable::SetTag(const Slot& slot, Tag tag) {
  Chunk* chunk = FindChunk(slot.page);
  IOMAP_CHECK(chunk != nullptr && chunk->present.test(BitOf(slot)));
  PageBits& bits = chunk->tags[static_cast<size_t>(tag)];
  const bool is_listed = !IsListed(tag) || bits.any();
  bits.set(BitOf(slot));
  if (!is_listed) {
    TaggedChunks(tag).insert(ChunkOf(slot.page));
  }
}

void EntryTable::ClearTag(const Slot& slot, Tag tag) {
  Chunk* chunk = FindChunk(slot.page);
  IOMAP_CHECK(chunk != nullptr);
  PageBits& bits = chunk->tags[static_cast<size_t>(tag)];
  if (!bits.test(BitOf(slot))) {
    return;
  }
  bits.reset(BitOf(slot));
  if (IsListed(tag) && !bits.any()) {
    TaggedChunks(tag).erase(ChunkOf(slot.page));
  }
}

void EntryTable::TagDirtyToWrite(uint64_t begin, uint64_t end) {
  const absl::btree_set<uint64_t>& dirty = TaggedChunks(Tag::kDirty);
  for (auto i = dirty.lower_bound(ChunkOf(begin)); i != dirty.end() && *i * kPagesPerHugePage < end;
       ++i) {
    Chunk& chunk = *FindChunk(*i * kPagesPerHugePage);
    const PageBits& from = chunk.tags[static_cast<size_t>(Tag::kDirty)];
    PageBits& to = chunk.tags[static_cast<size_t>(Tag::kToWrite)];
    const uint64_t first = *i * kPagesPerHugePage;
    const bool any = chunk.huge != 0 ? to.SetFrom(from, 0, 1)
                                     : to.SetFrom(from, begin > first ? begin - first : 0,
                                                  std::min(end - first, kPagesPerHugePage));
    if (any) {
      TaggedChunks(Tag::kToWrite).insert(*i);
    }
  }
}

}  // namespace iomap::dax
