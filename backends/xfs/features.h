#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backends/xfs/superblock.h"

namespace iomap::xfs {

// OK when everything that the superblock says the file system uses can be read. Otherwise
// Unimplemented, with the bits in hexadecimal and their names. Features that matter only to a
// writer are never refused.
absl::Status CheckFeatures(const Superblock& superblock);

// The features in use, by the names that mkfs.xfs takes and xfs_info prints, where they have one
// there, else xfs_db's.
std::vector<std::string> FeatureNames(const Superblock& superblock);

}  // namespace iomap::xfs
