#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/container/btree_map.h"
#include "dax/device.h"
#include "dax/page_traps.h"
#include "iomap/byte_range.h"

namespace iomap::dax {

// What part of a mapping shows.
struct Piece {
  PageState state = PageState::kUnmapped;
  Device* device = nullptr;  // of kReadOnly and kWritable
  uint64_t address = 0;      // of its first byte there

  // What is `bytes` behind its beginning.
  Piece From(uint64_t bytes) const {
    return {state, device, device == nullptr ? 0 : address + bytes};
  }
  friend bool operator==(const Piece&, const Piece&) = default;
};

// A mapping, as pieces that follow each other without gaps. Neighbours that continue each other are
// one. Not thread-safe.
class PieceMap {
 public:
  explicit PieceMap(uint64_t bytes) : bytes_(bytes) { pieces_.emplace(0, Piece()); }

  uint64_t bytes() const { return bytes_; }
  size_t count() const { return pieces_.size(); }

  Piece At(uint64_t offset) const;
  // All of the piece that covers `offset`.
  ByteRange Around(uint64_t offset) const;
  void Set(const ByteRange& range, const Piece& piece);

  // Calls `body(part, piece)` for each part of `range`, which is inside; not to be changed by it.
  template <typename Body>
  void ForEach(const ByteRange& range, Body&& body) const {
    if (range.empty()) {
      return;
    }
    for (auto i = std::prev(pieces_.upper_bound(range.offset));
         i != pieces_.end() && i->first < range.end(); ++i) {
      const ByteRange part = ByteRange::Between(i->first, EndOf(i)).Intersect(range);
      body(part, i->second.From(part.offset - i->first));
    }
  }

 private:
  using Pieces = absl::btree_map<uint64_t, Piece>;

  uint64_t EndOf(Pieces::const_iterator piece) const {
    const auto next = std::next(piece);
    return next == pieces_.end() ? bytes_ : next->first;
  }
  // A boundary between pieces at `offset`.
  void Split(uint64_t offset);
  // The piece that begins at `offset` goes if the one before it continues there.
  void JoinWithPrevious(uint64_t offset);

  const uint64_t bytes_;
  Pieces pieces_;
};

}  // namespace iomap::dax
