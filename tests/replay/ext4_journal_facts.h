#pragma once

#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace iomap::tests {

// What the dirty journal of the ext4 image at `image_path` holds, found by the scan of the backend:
// "transactions", "checksums none", "checksums v1" (v2, v3), "64bit", "escape", "revoke", "wrap",
// "fast commit", "inside the directory's inode" (a name), "orphan".
absl::StatusOr<std::set<std::string>> JournalFactsOf(const std::string& image_path);

}  // namespace iomap::tests
