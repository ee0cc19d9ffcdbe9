#include "backends/ext4/journal_log.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/crc32.h"
#include "backends/ext4/jbd2_format.h"
#include "backends/ext4/journal_checksum.h"
#include "backends/ext4/journal_tag.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::CopyOut;
using Bytes = absl::Span<const std::byte>;

absl::Status Damaged(uint32_t block, absl::string_view what, uint64_t value,
                     absl::string_view expected) {
  return absl::DataLossError(
      absl::StrCat("ext4 journal block ", block, ": ", what, " ", value, ", ", expected));
}

// Walks the ring once from its start.
class Scan {
 public:
  explicit Scan(const Journal& journal)
      : journal_(journal),
        superblock_(journal.superblock()),
        next_block_(superblock_.start),
        current_{.sequence = superblock_.sequence} {}

  absl::StatusOr<JournalLog> Run() {
    bool goes_on = true;
    while (goes_on) {
      absl::StatusOr<bool> read = ReadOne();
      goes_on = read.ok() && *read;
      if (!read.ok() && !absl::IsOutOfRange(read.status())) {
        return read.status();
      }
    }
    log_.next_sequence = end_sequence_.value_or(current_.sequence);
    return std::move(log_);
  }

 private:
  // The number of the block that the walk stands on; the walk goes on behind it. OutOfRange when it
  // comes back to where it began: no log is longer than its ring, and a transaction that would be
  // was never committed.
  absl::StatusOr<uint32_t> Advance() {
    const uint32_t block = next_block_;
    if (walked_blocks_ == superblock_.ring_size()) {
      return absl::OutOfRangeError("the end of the ring");
    }
    ++walked_blocks_;
    ++next_block_;
    if (next_block_ == superblock_.ring_end) {
      next_block_ = superblock_.ring_begin;
    }
    return block;
  }

  // Reads one block, with the copies that follow a descriptor. False at the end of the log.
  absl::StatusOr<bool> ReadOne() {
    IOMAP_ASSIGN_OR_RETURN(const uint32_t index, Advance());
    IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, journal_.Block(index));
    const auto header = CopyOut<DiskJournalHeader>(bytes.data());
    if (header.magic.get() != kJournalMagic || header.sequence.get() != current_.sequence) {
      return false;
    }
    switch (header.block_type.get()) {
      case kJournalDescriptor:
        CheckTail(index, bytes);
        IOMAP_RETURN_IF_ERROR(ReadDescriptor(bytes));
        return true;
      case kJournalRevoke:
        CheckTail(index, bytes);
        ReadRevoke(index, bytes);
        return true;
      case kJournalCommit:
        return ReadCommit(index, bytes);
      default:
        return false;
    }
  }

  // The bytes of a descriptor or revoke block that are not its checksum.
  size_t SpaceOf(Bytes bytes) const {
    return bytes.size() - (superblock_.has_block_checksums() ? sizeof(DiskJournalTail) : 0);
  }

  // Keeps the first wrong checksum of the transaction; whether it matters, its commit block says.
  void CheckTail(uint32_t index, Bytes bytes) {
    if (!superblock_.has_block_checksums() || !bad_checksum_.ok()) {
      return;
    }
    const size_t field = SpaceOf(bytes);
    const uint32_t stored = CopyOut<DiskJournalTail>(bytes.data() + field).checksum.get();
    const uint32_t computed = JournalBlockChecksum(superblock_, bytes, field);
    if (stored != computed) {
      bad_checksum_ = Damaged(index, "checksum", stored, absl::StrCat("computed ", computed));
    }
  }

  absl::Status ReadDescriptor(Bytes bytes) {
    AddToTransactionChecksum(bytes);
    const size_t tag_bytes = JournalTagBytes(superblock_);
    const size_t space = SpaceOf(bytes);
    for (size_t offset = sizeof(DiskJournalHeader); offset + tag_bytes <= space;) {
      const JournalTag tag = ParseJournalTag(superblock_, bytes.data() + offset);
      IOMAP_ASSIGN_OR_RETURN(const uint32_t log_block, Advance());
      current_.blocks.push_back(LoggedBlock{.block = tag.block,
                                            .log_block = log_block,
                                            .checksum = tag.checksum,
                                            .escaped = (tag.flags & kTagEscaped) != 0});
      if (superblock_.checksums == JournalChecksums::kV1) {
        IOMAP_ASSIGN_OR_RETURN(const Bytes copy, journal_.Block(log_block));
        AddToTransactionChecksum(copy);
      }
      if ((tag.flags & kTagLast) != 0) {
        break;
      }
      offset += tag_bytes + ((tag.flags & kTagSameUuid) != 0 ? 0 : kTagUuidBytes);
    }
    return absl::OkStatus();
  }

  void ReadRevoke(uint32_t index, Bytes bytes) {
    const size_t used = CopyOut<DiskJournalRevoke>(bytes.data()).byte_count.get();
    if (used > SpaceOf(bytes)) {
      bad_revoke_ =
          Damaged(index, "bytes of revoked blocks", used, absl::StrCat("at most ", SpaceOf(bytes)));
      return;
    }
    const size_t width = superblock_.has_64bit ? sizeof(Be64) : sizeof(Be32);
    for (size_t offset = sizeof(DiskJournalRevoke); offset + width <= used; offset += width) {
      current_.revoked.push_back(superblock_.has_64bit
                                     ? backends::Load<Be64>(bytes.data() + offset)
                                     : backends::Load<Be32>(bytes.data() + offset));
    }
  }

  void AddToTransactionChecksum(Bytes bytes) {
    if (superblock_.checksums == JournalChecksums::kV1) {
      transaction_checksum_ = ExtendCrc32(transaction_checksum_, bytes);
    }
  }

  absl::StatusOr<bool> ReadCommit(uint32_t index, Bytes bytes) {
    const auto commit = CopyOut<DiskJournalCommit>(bytes.data());
    const uint64_t time = commit.commit_seconds.get();
    if (end_sequence_.has_value()) {
      return Damaged(index, "commit of transaction", current_.sequence,
                     absl::StrCat("but transaction ", *end_sequence_, " has a wrong checksum"));
    }
    const bool is_left_over = time < last_commit_time_;
    if (!bad_checksum_.ok()) {
      return is_left_over ? absl::StatusOr<bool>(false) : bad_checksum_;
    }
    if (const absl::Status checked = CheckCommit(index, bytes, commit); !checked.ok()) {
      if (is_left_over) {
        return false;
      }
      if (!superblock_.commits_asynchronously) {
        return checked;
      }
      // Asynchronous commits are not ordered behind their copies: this one may be torn. With
      // version 1, a later commit proves that it is not.
      end_sequence_ = current_.sequence;
      NextTransaction();
      return superblock_.checksums == JournalChecksums::kV1;
    }
    IOMAP_RETURN_IF_ERROR(bad_revoke_);
    last_commit_time_ = time;
    log_.transactions.push_back(std::move(current_));
    current_.sequence = log_.transactions.back().sequence;
    NextTransaction();
    return true;
  }

  absl::Status CheckCommit(uint32_t index, Bytes bytes, const DiskJournalCommit& commit) const {
    const uint32_t stored = commit.checksum[0].get();
    if (superblock_.checksums == JournalChecksums::kV1) {
      const bool is_unused = commit.checksum_type == 0 && commit.checksum_size == 0 && stored == 0;
      const bool is_right = commit.checksum_type == kCommitChecksumCrc32 &&
                            commit.checksum_size == kCommitChecksumBytes &&
                            stored == transaction_checksum_;
      return is_unused || is_right ? absl::OkStatus()
                                   : Damaged(index, "checksum of the transaction", stored,
                                             absl::StrCat("computed ", transaction_checksum_));
    }
    if (!superblock_.has_block_checksums()) {
      return absl::OkStatus();
    }
    constexpr size_t kField = offsetof(DiskJournalCommit, checksum);
    const uint32_t computed = JournalBlockChecksum(superblock_, bytes, kField);
    if (stored == computed) {
      return absl::OkStatus();
    }
    // A commit block whose first sector alone was written counts: what is behind it is zeros in
    // every commit block.
    std::vector<std::byte> head(bytes.size());
    std::memcpy(head.data(), bytes.data(), sizeof commit);
    return stored == JournalBlockChecksum(superblock_, head, kField)
               ? absl::OkStatus()
               : Damaged(index, "checksum of the commit", stored,
                         absl::StrCat("computed ", computed));
  }

  void NextTransaction() {
    current_ = Transaction{.sequence = current_.sequence + 1};  // wraps, as it is to
    transaction_checksum_ = ~0u;
  }

  const Journal& journal_;
  const JournalSuperblock& superblock_;
  uint32_t next_block_;
  uint32_t walked_blocks_ = 0;
  Transaction current_;
  // Of the transaction that is being read.
  absl::Status bad_checksum_;
  absl::Status bad_revoke_;
  uint32_t transaction_checksum_ = ~0u;   // version 1
  uint64_t last_commit_time_ = 0;         // seconds
  std::optional<uint32_t> end_sequence_;  // of a torn asynchronous commit
  JournalLog log_;
};

}  // namespace

absl::StatusOr<JournalLog> ScanLog(const Journal& journal) { return Scan(journal).Run(); }

}  // namespace iomap::ext4
