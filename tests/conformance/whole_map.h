#pragma once

#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "iomap/for_each_mapping.h"
#include "iomap/mapping.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {

// Adds `mapping` behind the others, as a part of the last one where it goes on in it: answers may
// be cut anywhere.
inline void Append(const Mapping& mapping, std::vector<Mapping>& map) {
  if (!map.empty() && map.back().ContinuesIn(mapping)) {
    map.back().length += mapping.length;
  } else {
    map.push_back(mapping);
  }
}

// All that a method says of a file, up to the largest offset.
inline std::vector<Mapping> WholeMap(File& file, MapMethod method) {
  std::vector<Mapping> map;
  EXPECT_THAT(ForEachMapping(file, method, ByteRange::All(),
                             [&](const Mapping& mapping, const ByteRange&) {
                               Append(mapping, map);
                               return Walk::kContinue;
                             }),
              tests::IsOk())
      << "inode " << file.inode();
  return map;
}

// What a reader finds at `position`.
inline MappingType TypeAt(File& file, uint64_t position) {
  return MappingAt(file, &File::MapForRead, position)->type;
}

}  // namespace iomap::conformance
