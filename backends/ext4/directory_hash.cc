#include "backends/ext4/directory_hash.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"

namespace iomap::ext4 {
namespace {

using State = std::array<uint32_t, 4>;

constexpr State kBuiltInSeed = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};  // MD4's

// A character as the machine that made the file system sees it: sign-extended or not.
uint32_t Extended(char c, bool is_unsigned) {
  return is_unsigned ? static_cast<uint32_t>(static_cast<unsigned char>(c))
                     : static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(c)));
}

uint32_t LegacyHash(absl::string_view name, bool is_unsigned) {
  uint32_t current = 0x12a3fe2d;
  uint32_t previous = 0x37abe8f9;
  for (const char c : name) {
    uint32_t next = previous + (current ^ (Extended(c, is_unsigned) * 7152373));
    if ((next & 0x80000000) != 0) {
      next -= 0x7fffffff;
    }
    previous = current;
    current = next;
  }
  return current << 1;
}

// Packs the first characters of `rest` into words, the first character of a word highest; what is
// missing is filled with the length of `rest` in every byte.
template <size_t kWords>
std::array<uint32_t, kWords> PackWords(absl::string_view rest, bool is_unsigned) {
  const uint32_t length = static_cast<uint32_t>(rest.size());
  const uint32_t twice = length | length << 8;
  const uint32_t padding = twice | twice << 16;
  std::array<uint32_t, kWords> words;
  words.fill(padding);
  const size_t count = std::min(rest.size(), kWords * 4);
  uint32_t word = padding;
  for (size_t i = 0; i < count; ++i) {
    word = Extended(rest[i], is_unsigned) + (word << 8);
    words[i / 4] = word;
    if (i % 4 == 3) {
      word = padding;
    }
  }
  return words;
}

// MD4's compression (RFC 1320) cut down to 8 words of input and 8 steps a round.
void HalfMd4(State& state, const std::array<uint32_t, 8>& input) {
  constexpr uint32_t kConstants[3] = {0, 0x5a827999, 0x6ed9eba1};
  constexpr int kOrder[3][8] = {
      {0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}};
  constexpr int kShifts[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (int round = 0; round < 3; ++round) {
    for (int step = 0; step < 8; ++step) {
      const uint32_t mixed = round == 0   ? d ^ (b & (c ^ d))
                             : round == 1 ? (b & c) + ((b ^ c) & d)
                                          : b ^ c ^ d;
      const uint32_t sum = a + mixed + input[kOrder[round][step]] + kConstants[round];
      a = d;
      d = c;
      c = b;
      b = std::rotl(sum, kShifts[round][step % 4]);
    }
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

// The Tiny Encryption Algorithm, 16 cycles.
void Tea(State& state, const std::array<uint32_t, 4>& key) {
  uint32_t sum = 0;
  uint32_t b0 = state[0];
  uint32_t b1 = state[1];
  for (int cycle = 0; cycle < 16; ++cycle) {
    sum += 0x9e3779b9;
    b0 += ((b1 << 4) + key[0]) ^ (b1 + sum) ^ ((b1 >> 5) + key[1]);
    b1 += ((b0 << 4) + key[2]) ^ (b0 + sum) ^ ((b0 >> 5) + key[3]);
  }
  state[0] += b0;
  state[1] += b1;
}

template <size_t kWords>
void Absorb(State& state, absl::string_view name, bool is_unsigned,
            void (*transform)(State&, const std::array<uint32_t, kWords>&)) {
  do {
    transform(state, PackWords<kWords>(name, is_unsigned));
    name.remove_prefix(std::min(name.size(), kWords * 4));
  } while (!name.empty());
}

}  // namespace

absl::StatusOr<uint32_t> DirectoryHash(HashVersion version, const std::array<uint32_t, 4>& seed,
                                       absl::string_view name) {
  const bool is_seeded =
      std::any_of(seed.begin(), seed.end(), [](uint32_t word) { return word != 0; });
  State state = is_seeded ? seed : kBuiltInSeed;
  const bool is_unsigned = version >= HashVersion::kLegacyUnsigned;
  uint32_t hash = 0;
  switch (version) {
    case HashVersion::kLegacy:
    case HashVersion::kLegacyUnsigned:
      hash = LegacyHash(name, is_unsigned);
      break;
    case HashVersion::kHalfMd4:
    case HashVersion::kHalfMd4Unsigned:
      Absorb<8>(state, name, is_unsigned, HalfMd4);
      hash = state[1];
      break;
    case HashVersion::kTea:
    case HashVersion::kTeaUnsigned:
      Absorb<4>(state, name, is_unsigned, Tea);
      hash = state[0];
      break;
    default:
      return absl::UnimplementedError(
          absl::StrCat("directory hash version ", static_cast<int>(version), ", known are 0 to 5"));
  }
  constexpr uint32_t kEndOfDirectory = 0xfffffffe;  // reserved: a position behind all names
  hash &= ~1u;
  return hash == kEndOfDirectory ? kEndOfDirectory - 2 : hash;
}

}  // namespace iomap::ext4
