#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dax/entry.h"

namespace iomap::dax {

// One bit for each base page of a huge page. A plain value.
class PageBits {
 public:
  bool test(uint64_t page) const { return ((words_[page / 64] >> (page % 64)) & 1) != 0; }
  void set(uint64_t page) { words_[page / 64] |= uint64_t{1} << (page % 64); }
  void reset(uint64_t page) { words_[page / 64] &= ~(uint64_t{1} << (page % 64)); }

  bool any() const {
    uint64_t all = 0;
    for (const uint64_t word : words_) {
      all |= word;
    }
    return all != 0;
  }

  // The first bit set in [begin, end).
  std::optional<uint64_t> Next(uint64_t begin, uint64_t end) const {
    for (uint64_t page = begin; page < end; page = (page / 64 + 1) * 64) {
      const uint64_t word = words_[page / 64] >> (page % 64);
      if (word != 0) {
        const uint64_t found = page + static_cast<uint64_t>(std::countr_zero(word));
        return found < end ? std::optional(found) : std::nullopt;
      }
    }
    return std::nullopt;
  }

  // Sets what `other` has in [begin, end). True when any was.
  bool SetFrom(const PageBits& other, uint64_t begin, uint64_t end) {
    uint64_t found = 0;
    for (size_t i = begin / 64; i < words_.size() && i * 64 < end; ++i) {
      const uint64_t first = i == begin / 64 ? ~uint64_t{0} << (begin % 64) : ~uint64_t{0};
      const uint64_t last = end - i * 64 < 64 ? (uint64_t{1} << (end - i * 64)) - 1 : ~uint64_t{0};
      const uint64_t added = other.words_[i] & first & last;
      words_[i] |= added;
      found |= added;
    }
    return found != 0;
  }

 private:
  std::array<uint64_t, kPagesPerHugePage / 64> words_ = {};
};

}  // namespace iomap::dax
