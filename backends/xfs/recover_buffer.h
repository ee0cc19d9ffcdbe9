#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "backends/xfs/log_buffer.h"
#include "backends/xfs/log_transaction.h"
#include "backends/xfs/replay_target.h"

namespace iomap::xfs {

// Replays buffer items: runs of bytes into a block of metadata. In version 5 the LSN in the block
// decides whether it has them already. Checksums and LSNs are put right afterwards, each in its
// time: a block gets its LSN only when all transactions of that LSN are replayed, since several may
// begin in one record, and its checksum once, at the end.
class BufferRecovery {
 public:
  // `target` outlives this.
  explicit BufferRecovery(ReplayTarget& target) : target_(target) {}

  // Says that a transaction of `lsn` is going to be replayed.
  absl::Status BeginTransaction(uint64_t lsn);
  // Replays one item of the transaction. DataLoss, Unavailable (no memory).
  absl::Status Recover(const LogItem& item);
  // Puts right what is still to be put right, when there are no more transactions.
  absl::Status Finish();

 private:
  absl::Status CopyRuns(const LogBuffer& buffer, const LogItem& item);
  absl::Status CopyNextUnlinked(const LogBuffer& buffer, const LogItem& item);
  absl::Status PutNextUnlinked(uint64_t inode_address, absl::Span<const std::byte> value);
  absl::Status StampLsns();

  // A block with a checksum.
  struct Touched {
    BufferPlace place;
    LogBufferKind kind = LogBufferKind::kUnknown;
  };

  void SumAtTheEnd(const Touched& touched);

  ReplayTarget& target_;
  uint64_t lsn_ = 0;
  std::vector<Touched> unstamped_;  // of this LSN
  // Without a right checksum, by their first block. None overlaps another: of two that do, the
  // older one's blocks were freed.
  std::map<uint64_t, Touched> unchecked_;
};

}  // namespace iomap::xfs
