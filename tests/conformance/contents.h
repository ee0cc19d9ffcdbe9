#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dax/io.h"
#include "gmock/gmock.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {

// All bytes of a file, as it is read.
inline std::vector<std::byte> ContentsOf(dax::File& file) {
  const absl::StatusOr<Attributes> attributes = file.attributes();
  EXPECT_THAT(attributes, tests::IsOk());
  std::vector<std::byte> bytes(attributes->size);
  const absl::StatusOr<size_t> count = dax::Read(file, 0, absl::MakeSpan(bytes));
  EXPECT_THAT(count, tests::IsOk());
  EXPECT_EQ(count.value_or(0), bytes.size());
  return bytes;
}

// What a write of `bytes` at `offset` makes of what a file is expected to hold.
inline void Put(std::vector<std::byte>& expected, uint64_t offset,
                const std::vector<std::byte>& bytes) {
  expected.resize(std::max<uint64_t>(expected.size(), offset + bytes.size()));
  std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace iomap::conformance
