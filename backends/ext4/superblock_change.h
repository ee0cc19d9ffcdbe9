#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "backends/ext4/format.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// Changes fields of the superblock on the medium, with its checksum, durably, and parses it again.
// Its flags and its checksum are in different lines of memory, which a crash can tear apart: not
// while anybody relies on it, but when a file system is opened for writing, and closed. Errors: the
// device's, and those of Volume::Reload.
absl::Status ChangeSuperblock(Volume& volume, absl::FunctionRef<void(DiskSuperblock&)> change);

}  // namespace iomap::ext4
