#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "backends/xfs/log_transaction.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// No log of a working machine makes more: a chunk of inodes is made when the one before is in use,
// and then each of its inodes was logged, in at least an eighth of its bytes.
inline constexpr uint64_t kMostNewInodeBytesPerLogByte = 16;

// Replays `item`, of type kInodeCreate, of a transaction of `lsn`: a new chunk of inodes, all free,
// is put in place. DataLoss, also when the log has made too many; Unavailable (no memory).
absl::Status RecoverInodeCreate(ReplayTarget& target, uint64_t lsn, const LogItem& item);

}  // namespace iomap::xfs
