#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iomap::ext4 {

// The hash by which a hashed directory orders its names.
enum class HashVersion : uint8_t {
  kLegacy = 0,
  kHalfMd4 = 1,
  kTea = 2,
  kLegacyUnsigned = 3,  // the same over unsigned characters; chosen by a flag of the superblock
  kHalfMd4Unsigned = 4,
  kTeaUnsigned = 5,
};

// The hash of `name`, its lowest bit clear, as index entries have it. `seed` is the superblock's;
// all zeros stands for the built-in one. Unimplemented for other versions (6, SipHash, needs an
// encryption key).
absl::StatusOr<uint32_t> DirectoryHash(HashVersion version, const std::array<uint32_t, 4>& seed,
                                       absl::string_view name);

}  // namespace iomap::ext4
