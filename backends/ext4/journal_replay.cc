#include "backends/ext4/journal_replay.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "backends/ext4/jbd2_format.h"
#include "backends/ext4/journal_checksum.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

// For each revoked block, the last transaction, by its index in the log, that revokes it.
class RevokeTable {
 public:
  explicit RevokeTable(const JournalLog& log) {
    for (size_t index = 0; index < log.transactions.size(); ++index) {
      for (const uint64_t block : log.transactions[index].revoked) {
        last_[block] = index;
      }
    }
  }

  bool Revokes(uint64_t block, size_t transaction_index) const {
    const auto found = last_.find(block);
    return found != last_.end() && transaction_index <= found->second;
  }

 private:
  absl::flat_hash_map<uint64_t, size_t> last_;
};

absl::Status Check(const Volume& volume, const Journal& journal, const Transaction& transaction,
                   const LoggedBlock& logged) {
  const auto damaged = [&](absl::string_view what, uint64_t value, absl::string_view expected) {
    return absl::DataLossError(absl::StrCat("ext4 journal block ", logged.log_block,
                                            ", transaction ", transaction.sequence, ": ", what, " ",
                                            value, ", ", expected));
  };
  // Not the file system's own count: one that grows while it is mounted logs blocks that only the
  // superblock in the same log adds.
  const uint64_t device_blocks = volume.device().size() >> volume.superblock().block_shift;
  if (logged.block >= device_blocks) {
    return damaged("copy of block", logged.block, absl::StrCat("the device has ", device_blocks));
  }
  if (journal.Owns(logged.block)) {
    return damaged("copy of block", logged.block, "which is the journal's own");
  }
  IOMAP_ASSIGN_OR_RETURN(const Bytes copy, journal.Block(logged.log_block));
  if (journal.superblock().has_block_checksums()) {
    const uint32_t whole = LoggedBlockChecksum(journal.superblock(), transaction.sequence, copy);
    const bool is_short = journal.superblock().checksums == JournalChecksums::kV2;
    const uint32_t computed = is_short ? whole & 0xFFFF : whole;
    if (logged.checksum != computed) {
      return damaged("checksum", logged.checksum,
                     absl::StrCat("computed ", computed, " of the copy of block ", logged.block));
    }
  }
  return absl::OkStatus();
}

absl::Status PutInPlace(Volume& volume, const Journal& journal, const LoggedBlock& logged) {
  IOMAP_ASSIGN_OR_RETURN(const Bytes copy, journal.Block(logged.log_block));
  std::vector<std::byte> bytes(copy.begin(), copy.end());
  if (logged.escaped) {
    for (size_t i = 0; i < sizeof kJournalMagic; ++i) {
      bytes[i] = static_cast<std::byte>(kJournalMagic >> (24 - 8 * i));
    }
  }
  return volume.device().Write(logged.block << volume.superblock().block_shift, bytes);
}

}  // namespace

absl::Status ReplayLog(Volume& volume, const Journal& journal, const JournalLog& log,
                       const backends::ReplayObserver& on_replay) {
  const RevokeTable revokes(log);
  for (size_t index = 0; index < log.transactions.size(); ++index) {
    const Transaction& transaction = log.transactions[index];
    for (const LoggedBlock& logged : transaction.blocks) {
      if (!revokes.Revokes(logged.block, index)) {
        IOMAP_RETURN_IF_ERROR(Check(volume, journal, transaction, logged));
      }
    }
  }
  for (size_t index = 0; index < log.transactions.size(); ++index) {
    const Transaction& transaction = log.transactions[index];
    for (const LoggedBlock& logged : transaction.blocks) {
      backends::ReplayAction action{.sequence = transaction.sequence};
      if (revokes.Revokes(logged.block, index)) {
        action.what = absl::StrCat("block ", logged.block, ", revoked");
      } else {
        IOMAP_RETURN_IF_ERROR(PutInPlace(volume, journal, logged));
        action.what = absl::StrCat("block ", logged.block);
        action.place = ByteRange{logged.block << volume.superblock().block_shift,
                                 volume.superblock().block_size};
      }
      if (on_replay) {
        on_replay(action);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace iomap::ext4
