#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace iomap::ext4 {

// What names that a case-folding directory takes for one have in common: Unicode's full case
// folding after canonical decomposition, without the code points that are ignored. A name that is
// not UTF-8 stands for itself alone. Unicode's stability policy keeps it the same for all
// characters that were assigned in the version of the superblock, 12.1.
//
// Source: fs/unicode in Linux (nfdicf), by way of utf8proc.
std::string FoldName(absl::string_view name);

}  // namespace iomap::ext4
