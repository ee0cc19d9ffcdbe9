#include "tests/support/damage.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace iomap::tests {
namespace {

using Random = std::mt19937_64;
using Bytes = absl::Span<std::byte>;

constexpr absl::string_view kNames[] = {"zero", "random", "flip", "field", "swap"};

// The head of a block or record, where its numbers are; behind it, records of the same form repeat.
constexpr size_t kHeadBytes = 64;

size_t Below(Random& random, size_t end) { return random() % end; }

template <typename Number>
Number UnlikelyValue(Random& random, Number old, Number elsewhere) {
  const auto swapped = [](Number value) {
    Number result = 0;
    for (size_t i = 0; i < sizeof(Number); ++i) {
      result = static_cast<Number>(uint64_t{result} << 8 | (value >> (8 * i) & 0xff));
    }
    return result;
  };
  switch (random() % 10) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return static_cast<Number>(~Number{0});
    case 3:
      return static_cast<Number>(old + 1);
    case 4:
      return static_cast<Number>(old - 1);
    case 5:
      return swapped(static_cast<Number>(swapped(old) + 1));
    case 6:
      return swapped(static_cast<Number>(swapped(old) - 1));
    case 7:
      return static_cast<Number>(old ^ (Number{1} << random() % (8 * sizeof(Number))));
    case 8:
      return elsewhere;
    default:
      return static_cast<Number>(random());
  }
}

template <typename Number>
void SpoilWord(Random& random, Bytes record, size_t end) {
  const size_t words = std::max<size_t>(1, end / sizeof(Number));
  const size_t place = Below(random, words) * sizeof(Number);
  const size_t other = Below(random, record.size() / sizeof(Number)) * sizeof(Number);
  Number old;
  Number elsewhere;
  std::memcpy(&old, record.data() + place, sizeof old);
  std::memcpy(&elsewhere, record.data() + other, sizeof elsewhere);
  const Number value = UnlikelyValue<Number>(random, old, elsewhere);
  std::memcpy(record.data() + place, &value, sizeof value);
}

void SpoilField(Random& random, uint32_t record_bytes, Bytes bytes) {
  const Bytes record =
      bytes.subspan(Below(random, bytes.size() / record_bytes) * record_bytes, record_bytes);
  size_t used = record.size();
  while (used > kHeadBytes && record[used - 1] == std::byte{}) {
    --used;
  }
  const size_t end = random() % 2 == 0 ? used : std::min(used, kHeadBytes);
  switch (random() % 4) {
    case 0:
      return SpoilWord<uint8_t>(random, record, end);
    case 1:
      return SpoilWord<uint16_t>(random, record, end);
    case 2:
      return SpoilWord<uint32_t>(random, record, end);
    default:
      return SpoilWord<uint64_t>(random, record, end);
  }
}

}  // namespace

std::string Damage::Text() const {
  return absl::StrCat(kNames[static_cast<size_t>(kind)], "@", address, "+", length, "#",
                      kind == DamageKind::kSwap ? other : seed);
}

std::optional<Damage> Damage::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::ByAnyChar("@+#"));
  Damage damage;
  uint64_t last = 0;
  const auto name =
      std::find(std::begin(kNames), std::end(kNames), parts.empty() ? "" : parts.front());
  if (parts.size() != 4 || name == std::end(kNames) ||
      !absl::SimpleAtoi(parts[1], &damage.address) || !absl::SimpleAtoi(parts[2], &damage.length) ||
      !absl::SimpleAtoi(parts[3], &last)) {
    return std::nullopt;
  }
  damage.kind = static_cast<DamageKind>(name - std::begin(kNames));
  (damage.kind == DamageKind::kSwap ? damage.other : damage.seed) = last;
  return damage;
}

void Spoil(const Damage& damage, uint32_t record_bytes, Bytes bytes) {
  Random random(damage.seed);
  switch (damage.kind) {
    case DamageKind::kZero:
      std::fill(bytes.begin(), bytes.end(), std::byte{});
      return;
    case DamageKind::kRandom:
      std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
      return;
    case DamageKind::kFlip:
      for (size_t count = 1 + Below(random, 8); count > 0; --count) {
        bytes[Below(random, bytes.size())] = static_cast<std::byte>(random());
      }
      return;
    case DamageKind::kField:
      for (size_t count = 1 + Below(random, 2); count > 0; --count) {
        SpoilField(random, record_bytes, bytes);
      }
      return;
    case DamageKind::kSwap:
      return;
  }
}

}  // namespace iomap::tests
