#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/xfs/log_transaction.h"
#include "backends/xfs/mapping_changes.h"
#include "backends/xfs/share_changes.h"
#include "backends/xfs/superblock.h"

namespace iomap::xfs {

struct ReplayTarget;

// What was begun in one transaction and not finished in another. An operation that needs several
// transactions says in each what is still to be done (an intent), and in the next that it is done.
struct UnfinishedChanges {
  MappingChanges mappings;
  ShareChanges shares;
};

// The intents of a log, in its order.
class LogIntents {
 public:
  // True for the types that Add takes.
  static bool IsIntentOrDone(LogItemType type);

  // An intent, or that one is done, from a transaction of `lsn`. DataLoss.
  absl::Status Add(uint64_t lsn, const LogItem& item);

  // What those that are not done mean to a reader, each reported to the target's observer. What
  // they free, and what they change of reverse mappings and of attributes, no reader of files sees.
  // `superblock` is the one after the replay. DataLoss when one names what does not exist.
  absl::StatusOr<UnfinishedChanges> Finish(const ReplayTarget& target,
                                           const Superblock& superblock) const;

 private:
  struct Intent {
    uint64_t number = 0;  // in the order of the log
    uint64_t lsn = 0;
    std::vector<std::byte> region;
  };

  // By type and id: the ids are addresses in the memory of the machine that wrote the log, which
  // are used again.
  std::map<std::pair<LogItemType, uint64_t>, Intent> open_;
  uint64_t next_number_ = 0;
};

}  // namespace iomap::xfs
