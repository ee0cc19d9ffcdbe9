#pragma once

#include <string>

#include "absl/status/status.h"

namespace iomap::tests {

// Writes the description of the directory tree at `source_path` that mkfs.xfs -p takes. The format
// has no sockets, which are removed from the source tree, and no hard links: each name becomes a
// file of its own.
absl::Status WriteProtofile(const std::string& source_path, const std::string& protofile_path);

}  // namespace iomap::tests
