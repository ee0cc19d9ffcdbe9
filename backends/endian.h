#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace iomap::backends {

// Integers as they lie on a medium: any alignment, a fixed byte order, read with get() and written
// with set(). On-disk structs are made of these, so that a field cannot be used without its
// conversion.
template <typename Value, std::endian order>
class OnDisk {
 public:
  Value get() const {
    Value value;
    std::memcpy(&value, bytes_, sizeof value);
    if constexpr (order != std::endian::native && sizeof(Value) > 1) {
      value = Swapped(value);
    }
    return value;
  }

  void set(Value value) {
    if constexpr (order != std::endian::native && sizeof(Value) > 1) {
      value = Swapped(value);
    }
    std::memcpy(bytes_, &value, sizeof value);
  }

 private:
  static Value Swapped(Value value) {
    if constexpr (sizeof(Value) == 2) {
      return static_cast<Value>(__builtin_bswap16(value));
    } else if constexpr (sizeof(Value) == 4) {
      return static_cast<Value>(__builtin_bswap32(value));
    } else {
      return static_cast<Value>(__builtin_bswap64(value));
    }
  }

  unsigned char bytes_[sizeof(Value)];
};

using Le16 = OnDisk<uint16_t, std::endian::little>;
using Le32 = OnDisk<uint32_t, std::endian::little>;
using Le64 = OnDisk<uint64_t, std::endian::little>;
using Be16 = OnDisk<uint16_t, std::endian::big>;
using Be32 = OnDisk<uint32_t, std::endian::big>;
using Be64 = OnDisk<uint64_t, std::endian::big>;
static_assert(sizeof(Be64) == 8 && alignof(Be64) == 1);

// Copies a record out of the medium: struct Header header = CopyOut<Header>(block.data()). The
// caller has checked that sizeof(Record) bytes are there.
template <typename Record>
Record CopyOut(const std::byte* bytes) {
  static_assert(std::is_trivially_copyable_v<Record> && alignof(Record) == 1);
  Record record;
  std::memcpy(&record, bytes, sizeof record);
  return record;
}

// The integer of kind `Number` (Le16 ... Be64) at `bytes`.
template <typename Number>
auto Load(const std::byte* bytes) {
  return CopyOut<Number>(bytes).get();
}

// Puts `value` at `bytes` as an integer of kind `Number`.
template <typename Number, typename Value>
void Store(std::byte* bytes, Value value) {
  Number number;
  number.set(value);
  std::memcpy(bytes, &number, sizeof number);
}

}  // namespace iomap::backends
