#include "backends/transaction_engine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::backends {
namespace {

// Aborts, where the order of locks is checked, a thread that has a handle: it would wait for
// itself.
class OrderCheck {
 public:
  OrderCheck() { iomap::internal::NoteLocked(LockRank::kTransaction); }
  ~OrderCheck() { iomap::internal::NoteUnlocked(LockRank::kTransaction); }
  OrderCheck(const OrderCheck&) = delete;
  OrderCheck& operator=(const OrderCheck&) = delete;
};

}  // namespace

// ---- handles ----

Handle::Handle(Handle&& other) noexcept
    : engine_(std::exchange(other.engine_, nullptr)),
      transaction_(std::move(other.transaction_)),
      left_(other.left_) {}

Handle::~Handle() {
  if (engine_ != nullptr) {
    engine_->End(*transaction_, left_);
    iomap::internal::NoteUnlocked(LockRank::kTransaction);
  }
}

absl::StatusOr<absl::Span<std::byte>> Handle::Edit(const Buffer& buffer) {
  std::shared_ptr<OverlayImage> newest = engine_->overlay_.Find(buffer.address);
  IOMAP_CHECK(newest == nullptr || newest->buffer.length == buffer.length);
  if (newest != nullptr && newest->sequence == sequence()) {
    return absl::MakeSpan(newest->bytes);
  }
  absl::Span<const std::byte> before;
  if (newest != nullptr) {
    before = newest->bytes;  // of another transaction: sealed
  } else {
    IOMAP_ASSIGN_OR_RETURN(before, engine_->device_.View(ByteRange{buffer.address, buffer.length}));
  }
  return Add(std::make_shared<OverlayImage>(
      OverlayImage{buffer, sequence(), std::vector<std::byte>(before.begin(), before.end())}));
}

absl::Span<std::byte> Handle::Create(const Buffer& buffer) {
  const absl::Span<std::byte> bytes = Add(std::make_shared<OverlayImage>(
      OverlayImage{buffer, sequence(), std::vector<std::byte>(buffer.length)}));
  std::memset(bytes.data(), 0, bytes.size());
  return bytes;
}

absl::Span<std::byte> Handle::Add(std::shared_ptr<OverlayImage> image) {
  const std::shared_ptr<OverlayImage> added = engine_->overlay_.Put(std::move(image));
  const MutexLock lock(engine_->mutex_);
  IOMAP_CHECK(!transaction_->cancelled.contains(added->buffer.address));
  if (transaction_->images.emplace(added->buffer.address, added).second) {
    const Credits cost = Credits::Of(1, added->buffer.length);
    IOMAP_CHECK(left_.Covers(cost));
    left_ -= cost;
    transaction_->promised -= cost;
    transaction_->used += cost;
  }
  return absl::MakeSpan(added->bytes);
}

void Handle::Free(const Buffer& buffer) {
  {
    const MutexLock lock(engine_->mutex_);
    transaction_->images.erase(buffer.address);  // its space stays counted
    if (transaction_->cancelled.emplace(buffer.address, buffer).second) {
      const Credits cost{.cancelled = 1};
      IOMAP_CHECK(left_.Covers(cost));
      left_ -= cost;
      transaction_->promised -= cost;
      transaction_->used += cost;
    }
  }
  // Nobody reads it any more, and whoever edits it meets the check in Add.
  engine_->overlay_.EraseUpTo(buffer.address, sequence());
}

void Handle::WhenDurable(std::function<void()> function) {
  const MutexLock lock(engine_->mutex_);
  transaction_->when_durable.push_back(std::move(function));
}

bool Handle::Extend(const Credits& credits) {
  if (!engine_->Extend(*transaction_, credits)) {
    return false;
  }
  left_ += credits;
  return true;
}

// ---- the running transaction ----

TransactionEngine::TransactionEngine(dax::Device& device, LogFormat& log, Sequence first, Seal seal)
    : device_(device),
      log_(log),
      seal_(std::move(seal)),
      durable_(first - 1),
      next_sequence_(first) {}

TransactionEngine::~TransactionEngine() {
  const MutexLock lock(mutex_);
  IOMAP_CHECK(running_ == nullptr || running_->handles == 0);
}

Credits TransactionEngine::RunningWith(const Credits& credits) const {
  return running_ == nullptr ? credits : running_->used + running_->promised + credits;
}

absl::StatusOr<Handle> TransactionEngine::Begin(const Credits& credits) {
  if (log_.SpaceFor(credits) > most_of_transaction()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a change of ", credits.buffers, " buffers and ", credits.cancelled, " freed ones takes ",
        log_.SpaceFor(credits), " of the log, a transaction may have ", most_of_transaction()));
  }
  // Noted first: the order of locks is checked before anything is waited for.
  iomap::internal::NoteLocked(LockRank::kTransaction);
  const MutexLock lock(mutex_);
  while (failure_.ok()) {
    const uint64_t space = log_.SpaceFor(RunningWith(credits));
    if (closing_) {
      changed_.Wait(mutex_);
    } else if (space > most_of_transaction()) {
      CommitRunning();
    } else if (space_in_log_ + space > log_.size()) {
      MakeSpace();
    } else {
      if (running_ == nullptr) {
        running_ = std::make_shared<Transaction>(Transaction{.sequence = next_sequence_});
      }
      running_->promised += credits;
      ++running_->handles;
      return Handle(*this, running_, credits);
    }
  }
  iomap::internal::NoteUnlocked(LockRank::kTransaction);
  return failure_;
}

bool TransactionEngine::Extend(Transaction& transaction, const Credits& credits) {
  const MutexLock lock(mutex_);
  const uint64_t space = log_.SpaceFor(transaction.used + transaction.promised + credits);
  if (!failure_.ok() || space > most_of_transaction() || space_in_log_ + space > log_.size()) {
    return false;
  }
  transaction.promised += credits;
  return true;
}

void TransactionEngine::End(Transaction& transaction, const Credits& left) {
  const MutexLock lock(mutex_);
  transaction.promised -= left;
  if (--transaction.handles == 0 && closing_) {
    changed_.NotifyAll();
  }
}

absl::StatusOr<BufferView> TransactionEngine::Read(const Buffer& buffer) const {
  if (std::shared_ptr<const OverlayImage> image = overlay_.Find(buffer.address); image != nullptr) {
    IOMAP_CHECK(image->buffer.length == buffer.length);
    return BufferView(std::move(image));
  }
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> medium,
                         device_.View(ByteRange{buffer.address, buffer.length}));
  return BufferView(medium);
}

// ---- commits ----

absl::Status TransactionEngine::CommitUpTo(Sequence sequence) {
  if (durable_.load(std::memory_order_acquire) >= sequence) {
    return absl::OkStatus();
  }
  const OrderCheck no_handle;
  const MutexLock lock(mutex_);
  while (failure_.ok() && durable_.load(std::memory_order_relaxed) < sequence) {
    const bool is_running = running_ != nullptr && running_->sequence <= sequence;
    if (!committing_ && !is_running) {
      break;  // a transaction that never changed anything
    }
    if (committing_) {
      changed_.Wait(mutex_);
    } else {
      CommitRunning();
    }
  }
  // What is durable stays so, whatever failed later.
  return durable_.load(std::memory_order_relaxed) >= sequence ? absl::OkStatus() : failure_;
}

absl::Status TransactionEngine::CommitAll() {
  Sequence latest = 0;
  {
    const MutexLock lock(mutex_);
    latest = running_ == nullptr ? next_sequence_ - 1 : next_sequence_;
  }
  return CommitUpTo(latest);
}

void TransactionEngine::CommitRunning() {
  if (committing_) {
    changed_.Wait(mutex_);  // and look again
    return;
  }
  committing_ = true;
  closing_ = true;
  while (running_->handles > 0) {
    changed_.Wait(mutex_);
  }
  const std::shared_ptr<Transaction> transaction = std::exchange(running_, nullptr);
  const bool is_empty = transaction->images.empty() && transaction->cancelled.empty() &&
                        transaction->when_durable.empty();
  absl::Status written;
  if (!is_empty) {
    ++next_sequence_;
    const uint64_t space = log_.SpaceFor(transaction->used);
    in_log_.push_back({transaction->sequence, space});
    space_in_log_ += space;
    mutex_.Unlock();
    // Before anybody copies from these images into the next transaction.
    std::vector<MutableBufferImage> images;
    images.reserve(transaction->images.size());
    for (const auto& [address, image] : transaction->images) {
      images.push_back({image->buffer, absl::MakeSpan(image->bytes)});
    }
    seal_(images);
    mutex_.Lock();
  }
  closing_ = false;
  changed_.NotifyAll();
  if (!is_empty) {
    mutex_.Unlock();
    written = WriteToLog(*transaction);
    mutex_.Lock();
    Publish(transaction, written);
  }
  committing_ = false;
  changed_.NotifyAll();
}

absl::Status TransactionEngine::WriteToLog(const Transaction& transaction) {
  std::vector<BufferImage> images;
  images.reserve(transaction.images.size());
  for (const auto& [address, image] : transaction.images) {
    images.push_back({image->buffer, image->bytes});
  }
  std::vector<Buffer> cancelled;
  cancelled.reserve(transaction.cancelled.size());
  for (const auto& [address, buffer] : transaction.cancelled) {
    cancelled.push_back(buffer);
  }
  std::sort(cancelled.begin(), cancelled.end(),
            [](const Buffer& a, const Buffer& b) { return a.address < b.address; });
  IOMAP_RETURN_IF_ERROR(log_.WriteBody(transaction.sequence, images, cancelled));
  IOMAP_RETURN_IF_ERROR(device_.Drain());
  IOMAP_RETURN_IF_ERROR(log_.WriteCommitRecord(transaction.sequence));
  return device_.Drain();
}

void TransactionEngine::Publish(const std::shared_ptr<Transaction>& transaction,
                                const absl::Status& written) {
  if (!written.ok()) {
    if (failure_.ok()) {
      failure_ = absl::Status(
          written.code(), absl::StrCat("transaction ", transaction->sequence,
                                       " could not be committed, the file system is read-only: ",
                                       written.message()));
    }
    return;
  }
  ++counts_.commits;
  counts_.logged_buffers += transaction->images.size();
  // No older image of what is freed may be on its way to the medium when its space is given away.
  while (checkpointing_ && !transaction->cancelled.empty()) {
    changed_.Wait(mutex_);
  }
  for (const auto& [address, buffer] : transaction->cancelled) {
    pending_.erase(address);
  }
  for (const auto& [address, image] : transaction->images) {
    pending_[address] = image;
  }
  mutex_.Unlock();
  for (const std::function<void()>& function : transaction->when_durable) {
    function();
  }
  mutex_.Lock();
  durable_.store(transaction->sequence, std::memory_order_release);
}

// ---- checkpoints ----

absl::Status TransactionEngine::Checkpoint() {
  IOMAP_RETURN_IF_ERROR(CommitAll());
  const MutexLock lock(mutex_);
  while (failure_.ok() && checkpointing_) {
    changed_.Wait(mutex_);
  }
  if (failure_.ok() && !in_log_.empty()) {
    CheckpointCommitted();
  }
  return failure_;
}

void TransactionEngine::MakeSpace() {
  const bool any_committed =
      !in_log_.empty() && in_log_.front().sequence <= durable_.load(std::memory_order_relaxed);
  if (checkpointing_ || !any_committed) {
    changed_.Wait(mutex_);  // the one that is being committed has it
  } else {
    CheckpointCommitted();
  }
}

void TransactionEngine::CheckpointCommitted() {
  checkpointing_ = true;
  const Sequence last = durable_.load(std::memory_order_relaxed);
  const auto images = std::exchange(pending_, {});
  mutex_.Unlock();
  const absl::Status status = PutInPlace(images, last + 1);
  mutex_.Lock();
  if (status.ok()) {
    ++counts_.checkpoints;
    counts_.buffers_in_place += images.size();
    while (!in_log_.empty() && in_log_.front().sequence <= last) {
      space_in_log_ -= in_log_.front().space;
      in_log_.pop_front();
    }
  } else if (failure_.ok()) {
    failure_ =
        absl::Status(status.code(), absl::StrCat("metadata up to transaction ", last,
                                                 " could not be put in place, the file system is "
                                                 "read-only: ",
                                                 status.message()));
  }
  checkpointing_ = false;
  changed_.NotifyAll();
}

absl::Status TransactionEngine::PutInPlace(
    const std::map<uint64_t, std::shared_ptr<OverlayImage>>& images, Sequence tail) {
  for (const auto& [address, image] : images) {
    IOMAP_RETURN_IF_ERROR(device_.WriteThrough(address, image->bytes));
  }
  IOMAP_RETURN_IF_ERROR(device_.Drain());
  IOMAP_RETURN_IF_ERROR(log_.MoveTail(tail));
  IOMAP_RETURN_IF_ERROR(device_.Drain());
  for (const auto& [address, image] : images) {
    overlay_.EraseUpTo(address, image->sequence);
  }
  return absl::OkStatus();
}

absl::Status TransactionEngine::failure() const {
  const MutexLock lock(mutex_);
  return failure_;
}

TransactionEngine::Counts TransactionEngine::counts() const {
  const MutexLock lock(mutex_);
  return counts_;
}

}  // namespace iomap::backends
