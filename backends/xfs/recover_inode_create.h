#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "backends/xfs/log_transaction.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// Replays `item`, of type kInodeCreate, of a transaction of `lsn`: a new chunk of inodes, all free,
// is put in place. DataLoss, Unavailable (no memory).
absl::Status RecoverInodeCreate(const ReplayTarget& target, uint64_t lsn, const LogItem& item);

}  // namespace iomap::xfs
