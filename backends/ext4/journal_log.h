#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/ext4/journal.h"

namespace iomap::ext4 {

// One copy of a block of the file system in the log. Nothing of it is checked yet.
struct LoggedBlock {
  uint64_t block = 0;      // of the file system, where it belongs
  uint32_t log_block = 0;  // of the journal, where the copy lies
  uint32_t checksum = 0;   // of the copy, with checksum versions 2 and 3
  bool escaped = false;    // its first four bytes are the journal's magic number
};

// One transaction that was committed.
struct Transaction {
  uint32_t sequence = 0;
  std::vector<LoggedBlock> blocks = {};  // in the order of the log
  // Blocks of the file system whose copies in this transaction and in those before it are not to be
  // put in place.
  std::vector<uint64_t> revoked = {};
};

// What a journal holds.
struct JournalLog {
  std::vector<Transaction> transactions = {};  // the oldest first
  uint32_t next_sequence = 0;                  // of the transaction that would come next
};

// The first pass over a log that is not empty: finds its end and parses what lies before it. As in
// Linux, the log ends without a complaint where a block has another magic or transaction number
// than the log would have there, whatever lies behind: a transaction whose commit block was never
// written did not happen. With a commit block, a transaction must be right: DataLoss, with the
// journal's block, when a checksum of its descriptor, revoke or commit blocks is wrong, unless its
// time is before that of the transaction in front of it (then it is left over from an earlier use
// of the journal) or commits are asynchronous (then a torn commit is the end of the log).
absl::StatusOr<JournalLog> ScanLog(const Journal& journal);

}  // namespace iomap::ext4
