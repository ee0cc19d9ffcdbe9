#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "backends/xfs/log_transaction.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// Replays `item`, of type kDquot, of a transaction of `lsn`: a quota record, unless the medium has
// it already. Readers see quota records in the quota files alone, as plain bytes. DataLoss,
// Unavailable (no memory).
absl::Status RecoverDquot(const ReplayTarget& target, uint64_t lsn, const LogItem& item);

}  // namespace iomap::xfs
