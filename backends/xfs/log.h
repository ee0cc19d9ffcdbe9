#pragma once

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/xfs/log_ring.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// Which part of the log is in use. All numbers are basic blocks (512 bytes) of the log. Immutable;
// safe for concurrent use. Source: the log chapter of "XFS Algorithms & Data Structures", and what
// Linux's recovery does where that says nothing.
class Log {
 public:
  // What a recovery has to look at: the records from `tail` up to `head`, where the next record
  // would be written.
  struct State {
    bool clean = false;  // nothing to recover: never written, or the file system was unmounted
    uint32_t head = 0;
    uint32_t tail = 0;
  };

  // The log inside the file system. Needs Superblock::log_start != 0. DataLoss when it cannot be
  // viewed.
  static absl::StatusOr<Log> Open(const Volume& volume);

  // Finds head and tail. Records at the head that were torn by a crash, which their checksums tell,
  // do not count; neither do those at the tail that the head was overwriting then. DataLoss when
  // the log contradicts itself, or when a record between them is damaged.
  absl::StatusOr<State> FindState() const;

  // Calls `visit` for the records of `state`, oldest first, until it fails.
  absl::Status ForEachRecord(const State& state,
                             absl::FunctionRef<absl::Status(const LogRecord&)> visit) const;

  const LogRing& ring() const { return ring_; }

 private:
  explicit Log(const LogRing& ring) : ring_(ring) {}

  // The first block in [begin, end) whose cycle is `cycle`.
  std::optional<uint32_t> FirstOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const;
  // The first block in [begin, end) of those at its end that have cycle `cycle`; the last one has
  // it and the first has not. Found by halving.
  uint32_t StartOfCycle(uint32_t begin, uint32_t end, uint32_t cycle) const;
  uint32_t HeadOfPartlyWrittenLog() const;
  uint32_t HeadByCycles() const;
  // Where the last record in front of `head` begins, if `head` lies inside it; else `head`.
  absl::StatusOr<uint32_t> CutIncompleteRecord(uint32_t head) const;
  // Where the first bad one begins of the records, up to `last`, that may have been in flight; else
  // `head`.
  uint32_t CutTornRecords(const LogRecord& last, uint32_t head) const;
  bool IsUnmountRecord(const LogRecord& record, uint32_t head) const;
  // The record that a recovery reads at `block`.
  absl::StatusOr<LogRecord> CheckRecord(uint32_t block, uint32_t head) const;
  // Where the first record begins, of those from `tail` on, behind which all are whole.
  absl::StatusOr<uint32_t> FirstWholeRecord(uint32_t tail, uint32_t head,
                                            uint32_t buffer_blocks) const;

  LogRing ring_;
};

}  // namespace iomap::xfs
