#include "dax/piece_map.h"

namespace iomap::dax {

Piece PieceMap::At(uint64_t offset) const {
  const auto holder = std::prev(pieces_.upper_bound(offset));
  return holder->second.From(offset - holder->first);
}

ByteRange PieceMap::Around(uint64_t offset) const {
  const auto holder = std::prev(pieces_.upper_bound(offset));
  return ByteRange::Between(holder->first, EndOf(holder));
}

void PieceMap::Set(const ByteRange& range, const Piece& piece) {
  if (range.empty()) {
    return;
  }
  Split(range.offset);
  Split(range.end());
  pieces_.erase(pieces_.lower_bound(range.offset), pieces_.lower_bound(range.end()));
  pieces_.emplace(range.offset, piece);
  JoinWithPrevious(range.end());
  JoinWithPrevious(range.offset);
}

void PieceMap::Split(uint64_t offset) {
  if (offset < bytes_ && pieces_.find(offset) == pieces_.end()) {
    pieces_.emplace(offset, At(offset));
  }
}

void PieceMap::JoinWithPrevious(uint64_t offset) {
  const auto piece = pieces_.find(offset);
  if (piece == pieces_.end() || piece == pieces_.begin()) {
    return;
  }
  const auto previous = std::prev(piece);
  if (previous->second.From(offset - previous->first) == piece->second) {
    pieces_.erase(piece);
  }
}

}  // namespace iomap::dax
