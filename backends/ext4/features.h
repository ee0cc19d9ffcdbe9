#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace iomap::ext4 {

// The three feature words of a superblock. Compat bits never matter to a reader, incompat bits
// always, ro_compat bits only to a writer.
struct FeatureWords {
  uint32_t compat = 0;
  uint32_t incompat = 0;
  uint32_t ro_compat = 0;
};

// Unimplemented, with the names of the features, when `features` has an incompat bit that a reader
// must know and we do not.
absl::Status CheckReadable(const FeatureWords& features);

// The names that mke2fs and dumpe2fs use; FEATURE_I31 and the like for bits without one.
std::vector<std::string> FeatureNames(const FeatureWords& features);

}  // namespace iomap::ext4
