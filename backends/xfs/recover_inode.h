#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/xfs/log_inode.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// Replays `logged`, an inode of a transaction of `lsn`: its core, and what is logged of its forks,
// unless the medium has a newer one. DataLoss, Unavailable (no memory).
absl::Status RecoverInode(const ReplayTarget& target, uint64_t lsn, const LogInode& logged);

}  // namespace iomap::xfs
