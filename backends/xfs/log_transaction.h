#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/xfs/log_item_format.h"
#include "backends/xfs/log_ring.h"

namespace iomap::xfs {

// One item of a transaction: a region that says what it is, and regions of data.
struct LogItem {
  std::vector<std::vector<std::byte>> regions = {};  // the first has at least kLogItemHeadBytes
  uint32_t region_count = 0;                         // as the first region says

  LogItemType type() const;
};

// A transaction that the log says was committed. Its items are complete.
struct LogTransaction {
  uint32_t id = 0;
  uint64_t lsn = 0;  // of the record in which it begins
  std::vector<LogItem> items = {};
};

// Puts transactions together from the operations of records: regions that go on from record to
// record, transactions that lie among each other. What was never committed is never seen. Holds no
// more than the bytes of the transactions that are open.
class TransactionAssembler {
 public:
  using Committed = absl::FunctionRef<absl::Status(LogTransaction&&)>;

  // Takes the operations of the next record; calls `committed` for each transaction that ends in
  // it. DataLoss when the operations contradict each other, or what `committed` returns.
  absl::Status Add(const LogRecord& record, absl::Span<const std::byte> body, Committed committed);

 private:
  struct OpenTransaction {
    LogTransaction transaction;
    std::vector<std::byte> header;  // as much of DiskTransactionHeader as has been met
  };

  absl::Status AddOperation(const LogRecord& record, const DiskLogOperation& operation,
                            absl::Span<const std::byte> region, Committed committed);

  absl::flat_hash_map<uint32_t, OpenTransaction> open_;
};

}  // namespace iomap::xfs
