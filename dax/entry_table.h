#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "dax/entry.h"
#include "dax/page_bits.h"

namespace iomap::dax {

// Marks of an entry.
enum class Tag : uint8_t {
  kDirty,    // stores may have reached it that are not durable
  kToWrite,  // among what a write-back that has begun must flush
  kLocked,   // somebody holds its lock
  kStored,   // stored to while it was locked: it stays dirty
};
inline constexpr size_t kTagCount = 4;

// The entries of one file, keyed by its pages, at 4 KiB and 2 MiB, with tags: what the kernel keeps
// in an XArray. The entries of each 2 MiB of the file, one huge one or up to 512, are a chunk, as
// one page of a page table maps them; chunks lie in a B-tree, and those with a DIRTY or a TOWRITE
// entry in a set for each tag, so that a walk over tagged entries costs what it finds. Not
// thread-safe: AddressSpace locks it.
class EntryTable {
 public:
  // The entry that covers `page`.
  std::optional<Slot> Find(uint64_t page) const;
  // The first entry that covers a page of [begin, end).
  std::optional<Slot> Next(uint64_t begin, uint64_t end) const;
  // The first tagged entry that covers a page of [begin, end). Not for kLocked.
  std::optional<Slot> NextTagged(Tag tag, uint64_t begin, uint64_t end) const;
  // The first entry that covers a page of [begin, end) and does not say where it lies.
  std::optional<Slot> NextNotPresent(uint64_t begin, uint64_t end) const;
  bool AnyTagged(Tag tag) const { return !TaggedChunks(tag).empty(); }

  Entry Get(const Slot& slot) const;
  // Whether there is an entry, of the kind kPresent.
  bool IsPresent(const Slot& slot) const;
  // Changes an entry, or makes one where none covers any of the slot's pages. Tags stay.
  void Set(const Slot& slot, const Entry& entry);
  // Takes an entry and its tags away.
  void Erase(const Slot& slot);

  bool IsTagged(const Slot& slot, Tag tag) const;
  void SetTag(const Slot& slot, Tag tag);
  void ClearTag(const Slot& slot, Tag tag);

  // Tags all DIRTY entries that cover a page of [begin, end) with TOWRITE.
  void TagDirtyToWrite(uint64_t begin, uint64_t end);

 private:
  // An entry in 8 bytes: the address, whose lowest 12 bits are free, the device and the kind. 0:
  // none.
  using Packed = uint64_t;

  struct Chunk {
    Packed huge = 0;
    std::unique_ptr<std::array<Packed, kPagesPerHugePage>> base = nullptr;
    PageBits present = {};                      // which of `base` there are; bit 0 for `huge`
    PageBits not_present = {};                  // which of these are not of the kind kPresent
    std::array<PageBits, kTagCount> tags = {};  // bit 0 for `huge`
  };
  using Chunks = absl::btree_map<uint64_t, std::unique_ptr<Chunk>>;

  static Packed Pack(const Entry& entry);
  static Entry Unpack(Packed packed);

  static uint64_t ChunkOf(uint64_t page) { return page / kPagesPerHugePage; }
  static uint64_t BitOf(const Slot& slot) { return slot.page % kPagesPerHugePage; }
  static Slot SlotOf(uint64_t index, const Chunk& chunk, uint64_t bit);
  // The first bit of `bits` that belongs to an entry which covers a page of [begin, end).
  static std::optional<uint64_t> NextBit(uint64_t index, const Chunk& chunk, const PageBits& bits,
                                         uint64_t begin, uint64_t end);

  Chunk* FindChunk(uint64_t page) const;
  absl::btree_set<uint64_t>& TaggedChunks(Tag tag) { return tagged_[static_cast<size_t>(tag)]; }
  const absl::btree_set<uint64_t>& TaggedChunks(Tag tag) const {
    return tagged_[static_cast<size_t>(tag)];
  }

  Chunks chunks_;
  // The chunk that was looked for last: neighbours are asked for one after the other.
  mutable uint64_t last_index_ = 0;
  mutable Chunk* last_chunk_ = nullptr;              // null: unknown
  std::array<absl::btree_set<uint64_t>, 2> tagged_;  // chunks with kDirty, with kToWrite
};

}  // namespace iomap::dax
