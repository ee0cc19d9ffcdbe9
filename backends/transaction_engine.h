#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/buffer.h"
#include "backends/buffer_overlay.h"
#include "backends/log_format.h"
#include "dax/device.h"
#include "iomap/mutex.h"

namespace iomap::backends {

class TransactionEngine;

// A transaction's changes, in memory.
struct Transaction {
  Sequence sequence = 0;
  std::map<uint64_t, std::shared_ptr<OverlayImage>> images = {};  // by address
  absl::flat_hash_map<uint64_t, Buffer> cancelled = {};           // by address
  std::vector<std::function<void()>> when_durable = {};
  Credits used = {};
  Credits promised = {};  // to handles that are open, and not used yet
  uint32_t handles = 0;   // that are open
};

// The right to change buffers in one transaction: all of a handle's changes become durable
// together. Ends with its scope. Not thread-safe; a thread has one at a time, and while it has it,
// touches no user memory and takes no lock above LockRank::kTransaction.
//
// What can fail comes before the first Edit: there is no way back from a changed buffer but to
// change it back.
class Handle {
 public:
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&&) = delete;
  ~Handle();

  // The buffer's bytes, to be changed until the handle ends. Others may change other bytes of the
  // same buffer at the same time. DataLoss when the device does not have it.
  absl::StatusOr<absl::Span<std::byte>> Edit(const Buffer& buffer);
  // The same for a buffer that was nobody's: its bytes are zeros, and are not read.
  absl::Span<std::byte> Create(const Buffer& buffer);
  // The buffer is no longer one: older images of it will not be put in place. Its space is not to
  // be given away before the transaction is durable (see WhenDurable), so that this transaction
  // does not change it again.
  void Free(const Buffer& buffer);

  // Calls `function`, with no lock of the engine held, once the transaction is durable, in the
  // thread that made it so. Not at all when it never is.
  void WhenDurable(std::function<void()> function);

  // Asks for more. False when it does not fit into this transaction any more: the caller brings its
  // structures to a valid state, ends the handle and begins another.
  bool Extend(const Credits& credits);

  // For TransactionEngine::CommitUpTo.
  Sequence sequence() const { return transaction_->sequence; }

 private:
  friend class TransactionEngine;
  Handle(TransactionEngine& engine, std::shared_ptr<Transaction> transaction,
         const Credits& credits)
      : engine_(&engine), transaction_(std::move(transaction)), left_(credits) {}

  absl::Span<std::byte> Add(std::shared_ptr<OverlayImage> image);

  TransactionEngine* engine_;  // null when moved from
  std::shared_ptr<Transaction> transaction_;
  Credits left_;
};

// Changes metadata by write-ahead logging, whatever the format of the log. Changes are made to
// private copies of whole buffers, which one transaction at a time collects; who needs something to
// be durable commits all of it, while others wait for the same commit or fill the next. What is
// committed is put in place later, many transactions at a time, when the log runs short.
//
//   commit:      seal -> body of the log -> drain -> commit record -> drain -> durable
//   checkpoint:  newest committed images in place -> drain -> tail -> drain -> log space is free
//
// A transaction takes a quarter of the log at most, and begins only when there is space for it, so
// that a commit never waits for space. There is no thread of its own: who commits, or needs space,
// does the work.
//
// A commit or checkpoint that fails, which is the medium's fault, ends all changes: Begin and
// CommitUpTo answer its error from then on, and readers see what is in memory.
//
// Safe for concurrent use.
class TransactionEngine {
 public:
  // Called with the images of a transaction that nobody changes any more, to complete them (their
  // checksums), once.
  using Seal = std::function<void(absl::Span<const MutableBufferImage>)>;

  // `device` and `log`, which is empty, outlive the engine. The first transaction is `first`.
  TransactionEngine(dax::Device& device, LogFormat& log, Sequence first, Seal seal);
  // Nothing is committed here: see Checkpoint.
  ~TransactionEngine();

  // Waits for space in the log, perhaps making some. InvalidArgument for more than one transaction
  // may take; the error of what failed before.
  absl::StatusOr<Handle> Begin(const Credits& credits);

  // What the buffer holds: for who holds the file system's lock of what is read. DataLoss when the
  // device does not have it.
  absl::StatusOr<BufferView> Read(const Buffer& buffer) const;

  // When OK returns, all handles of transaction `sequence` and of those before it are durable. One
  // load when they are already.
  absl::Status CommitUpTo(Sequence sequence);
  // The same for all handles that have ended.
  absl::Status CommitAll();

  // Commits all, and puts it in place: the log is empty then, if no other thread begins.
  absl::Status Checkpoint();

  // What failed, if something did.
  absl::Status failure() const;

  // Since it was made, for statistics.
  struct Counts {
    uint64_t commits = 0;
    uint64_t checkpoints = 0;
    uint64_t logged_buffers = 0;
    uint64_t buffers_in_place = 0;
  };
  Counts counts() const;

 private:
  friend class Handle;

  struct Logged {
    Sequence sequence;
    uint64_t space;
  };

  uint64_t most_of_transaction() const { return log_.size() / 4; }
  // What the log would hold with `credits` more in the running transaction.
  Credits RunningWith(const Credits& credits) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Transaction& transaction, const Credits& left);
  bool Extend(Transaction& transaction, const Credits& credits);

  // These let the mutex go meanwhile.
  void CommitRunning() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeSpace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckpointCommitted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status WriteToLog(const Transaction& transaction);
  void Publish(const std::shared_ptr<Transaction>& transaction, const absl::Status& written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PutInPlace(const std::map<uint64_t, std::shared_ptr<OverlayImage>>& images,
                          Sequence tail);

  dax::Device& device_;
  LogFormat& log_;
  const Seal seal_;
  BufferOverlay overlay_;

  std::atomic<Sequence> durable_;
  mutable Mutex mutex_{LockRank::kLeaf};
  CondVar changed_;
  Sequence next_sequence_ ABSL_GUARDED_BY(mutex_);  // of the running transaction
  std::shared_ptr<Transaction> running_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;  // the running one takes no handles any more
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;
  bool checkpointing_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Logged> in_log_ ABSL_GUARDED_BY(mutex_);  // the one being committed last
  uint64_t space_in_log_ ABSL_GUARDED_BY(mutex_) = 0;
  // Newest committed images that are not in place, by address.
  std::map<uint64_t, std::shared_ptr<OverlayImage>> pending_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace iomap::backends
