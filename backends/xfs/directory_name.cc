#include "backends/xfs/directory_name.h"

#include <algorithm>
#include <bit>

namespace iomap::xfs {
namespace {

uint8_t LowerCase(char character) {
  const uint8_t byte = static_cast<uint8_t>(character);
  const bool is_upper = (byte >= 'A' && byte <= 'Z') || (byte >= 0xC0 && byte <= 0xD6) ||
                        (byte >= 0xD8 && byte <= 0xDE);
  return is_upper ? byte + ('a' - 'A') : byte;
}

}  // namespace

uint32_t HashName(absl::string_view name, NameCase name_case) {
  // One byte at a time; four bytes at a time, as the format is usually written down, comes to the
  // same.
  uint32_t hash = 0;
  for (const char character : name) {
    const uint8_t byte =
        name_case == NameCase::kIgnored ? LowerCase(character) : static_cast<uint8_t>(character);
    hash = byte ^ std::rotl(hash, 7);
  }
  return hash;
}

bool EqualIgnoringCase(absl::string_view a, absl::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerCase(x) == LowerCase(y); });
}

}  // namespace iomap::xfs
