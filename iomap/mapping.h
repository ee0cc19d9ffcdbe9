#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "iomap/byte_range.h"

namespace iomap {

// What backs a range of a file; the types of Linux's struct iomap.
enum class MappingType : uint8_t {
  kHole,       // nothing is allocated; reads as zeros
  kDelalloc,   // space is reserved in memory, no address yet
  kMapped,     // bytes at `address`
  kUnwritten,  // space at `address` that reads as zeros
  kInline,     // bytes inside the inode; read them with File::ReadInline. `address`, if there is
               // one, says where they begin: they need not all follow there
};

// The word that the field uses for `type`: hole, delalloc, mapped, unwritten, inline.
absl::string_view MappingTypeName(MappingType type);

// What a backend says of a mapping. (What the core adds, such as "last", is FiemapExtent's.)
enum class MappingFlag : uint16_t {
  kNone = 0,
  kShared = 1 << 0,   // other files, or other ranges, use the same bytes
  kNew = 1 << 1,      // allocated by this call
  kEncoded = 1 << 2,  // the bytes at the address are not the file's plain bytes
  kMerged = 1 << 3,   // joined from single blocks: the medium has no extents (IOMAP_F_MERGED)
};

constexpr MappingFlag operator|(MappingFlag a, MappingFlag b) {
  return static_cast<MappingFlag>(static_cast<uint16_t>(a) | static_cast<uint16_t>(b));
}
// True when the bit `flag` is set.
constexpr bool HasFlag(MappingFlag flags, MappingFlag flag) {
  return (static_cast<uint16_t>(flags) & static_cast<uint16_t>(flag)) != 0;
}

// One range of a file and where its bytes lie. All numbers are bytes; `address` counts from the
// start of device number `device` of the file system. A plain value: no pointer, no block size, the
// same on the wire as in memory.
struct Mapping {
  static constexpr uint64_t kNoAddress = std::numeric_limits<uint64_t>::max();

  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t address = kNoAddress;
  MappingType type = MappingType::kHole;
  uint8_t device = 0;
  MappingFlag flags = MappingFlag::kNone;

  constexpr ByteRange range() const { return ByteRange{offset, length}; }
  constexpr uint64_t end() const { return offset + length; }
  constexpr bool has_address() const { return address != kNoAddress; }
  constexpr bool reads_as_zeros() const {
    return type == MappingType::kHole || type == MappingType::kUnwritten;
  }
  // The address of the byte at `position`, which lies in range(). Needs has_address().
  constexpr uint64_t AddressOf(uint64_t position) const { return address + (position - offset); }

  // The same mapping cut to the bytes that `part`, which overlaps range(), also has.
  Mapping Slice(const ByteRange& part) const;

  // True when `next` goes on where this mapping ends, in the file and on the device, in the same
  // way.
  bool ContinuesIn(const Mapping& next) const;

  friend constexpr bool operator==(const Mapping&, const Mapping&) = default;
};
static_assert(sizeof(Mapping) == 32 && std::is_trivially_copyable_v<Mapping>);

// One line for logs and test failures: "[4096, 12288) mapped at 98304 of device 0".
std::string DebugString(const Mapping& mapping);

}  // namespace iomap
