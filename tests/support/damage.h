#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace iomap::tests {

enum class DamageKind {
  kZero,    // all bytes are zeros
  kRandom,  // all bytes are random
  kFlip,    // one to eight bytes are random
  kField,   // one or two aligned words have an unlikely value, and checksums are right again
  kSwap,    // the block and another one have changed places
};
inline constexpr DamageKind kDamageKinds[] = {DamageKind::kZero, DamageKind::kRandom,
                                              DamageKind::kFlip, DamageKind::kField,
                                              DamageKind::kSwap};

// What is done to one block of an image: fully told by these numbers and the image.
struct Damage {
  DamageKind kind = DamageKind::kZero;
  uint64_t address = 0;
  uint32_t length = 0;
  uint64_t seed = 0;   // of what is random
  uint64_t other = 0;  // kSwap: the address of the other block, of the same length

  // "flip@4096+1024#77", "swap@4096+1024#8192" with the other block's address in the seed's place:
  // what rerunning takes.
  std::string Text() const;
  static std::optional<Damage> Parse(absl::string_view text);
};

// Changes `bytes`, a copy of the block, in the way of kZero, kRandom, kFlip or kField (which leaves
// checksums to the caller). Records of a table are `record_bytes` long: a field of one of them is
// as likely as that of another.
void Spoil(const Damage& damage, uint32_t record_bytes, absl::Span<std::byte> bytes);

}  // namespace iomap::tests
