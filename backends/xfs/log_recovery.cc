#include "backends/xfs/log_recovery.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "backends/xfs/block_map.h"
#include "backends/xfs/extent_tree_owner.h"
#include "backends/xfs/log_buffer.h"
#include "backends/xfs/log_inode.h"
#include "backends/xfs/log_transaction.h"
#include "backends/xfs/recover_buffer.h"
#include "backends/xfs/recover_dquot.h"
#include "backends/xfs/recover_inode.h"
#include "backends/xfs/recover_inode_create.h"
#include "backends/xfs/replay_target.h"
#include "backends/xfs/unlinked_inodes.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

absl::Status CheckByteOrder(const LogRecord& record) {
  const uint32_t format = record.header.format.get();
  if (format == kLogFormatLinuxLittleEndian) {
    return absl::OkStatus();
  }
  const bool big = format == kLogFormatLinuxBigEndian || format == kLogFormatIrix;
  return absl::UnimplementedError(
      absl::StrCat("xfs log: record at block ", record.block, ": items of format ", format,
                   big ? ", written by a big-endian machine" : ", which is not known"));
}

// Reads the log once: puts transactions together and hands them on.
absl::Status ForEachTransaction(const Log& log, const Log::State& state,
                                const Superblock& superblock,
                                TransactionAssembler::Committed visit) {
  TransactionAssembler assembler;
  return log.ForEachRecord(state, [&](const LogRecord& record) -> absl::Status {
    IOMAP_RETURN_IF_ERROR(CheckByteOrder(record));
    // Linux has always written checksums with version 5.
    if (superblock.is_v5() && record.header.crc.get() == 0) {
      return DamagedLog(absl::StrCat("record at block ", record.block, ": no checksum"));
    }
    return assembler.Add(record, log.ring().BodyOf(record), visit);
  });
}

// The order in which the items of a transaction are replayed: buffers and new inodes, then inodes
// and all else, which need those buffers, then the lists of unlinked inodes in inode buffers, then
// what is freed, which was in use before.
enum class Turn { kBuffer, kItem, kInodeBuffer, kCancel };

absl::StatusOr<Turn> TurnOf(const LogItem& item) {
  const LogItemType type = item.type();
  switch (type) {
    case LogItemType::kBuffer: {
      IOMAP_ASSIGN_OR_RETURN(const LogBuffer buffer, ParseLogBuffer(item));
      return buffer.is_cancel()      ? Turn::kCancel
             : buffer.holds_inodes() ? Turn::kInodeBuffer
                                     : Turn::kBuffer;
    }
    case LogItemType::kInodeCreate:
      return Turn::kBuffer;
    case LogItemType::kInode:
    case LogItemType::kDquot:
    case LogItemType::kQuotaOff:
      return Turn::kItem;
    default:
      if (LogIntents::IsIntentOrDone(type)) {
        return Turn::kItem;
      }
      return absl::UnimplementedError(absl::StrCat(
          "xfs log: items of type 0x", absl::Hex(static_cast<uint16_t>(type)), " are not known"));
  }
}

// The second pass.
class Replay {
 public:
  explicit Replay(ReplayTarget& target) : target_(target), buffers_(target) {}

  absl::Status ReplayTransaction(const LogTransaction& transaction) {
    std::vector<std::pair<Turn, const LogItem*>> items;
    for (const LogItem& item : transaction.items) {
      IOMAP_ASSIGN_OR_RETURN(const Turn turn, TurnOf(item));
      items.emplace_back(turn, &item);
    }
    std::stable_sort(items.begin(), items.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    IOMAP_RETURN_IF_ERROR(buffers_.BeginTransaction(transaction.lsn));
    for (const auto& [turn, item] : items) {
      IOMAP_RETURN_IF_ERROR(ReplayItem(transaction.lsn, *item));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() {
    IOMAP_RETURN_IF_ERROR(buffers_.Finish());
    absl::flat_hash_set<uint64_t> passed;
    for (const uint64_t address : new_owners_) {
      IOMAP_RETURN_IF_ERROR(GiveExtentTree(target_, address, passed));
    }
    return absl::OkStatus();
  }

  const LogIntents& intents() const { return intents_; }

 private:
  absl::Status ReplayItem(uint64_t lsn, const LogItem& item) {
    switch (item.type()) {
      case LogItemType::kBuffer:
        return buffers_.Recover(item);
      case LogItemType::kInode: {
        IOMAP_ASSIGN_OR_RETURN(const LogInode logged, ParseLogInode(target_.superblock, item));
        if ((logged.fields & kLogInodeDataOwner) != 0 && target_.superblock.is_v5() &&
            !target_.cancels.Contains(logged.place)) {
          new_owners_.insert(logged.address());
        }
        return RecoverInode(target_, lsn, logged);
      }
      case LogItemType::kInodeCreate:
        return RecoverInodeCreate(target_, lsn, item);
      case LogItemType::kDquot:
        return RecoverDquot(target_, lsn, item);
      case LogItemType::kQuotaOff:
        // It keeps a mount from replaying quota records that are of no use any more; that they are
        // replayed here does no harm, for nobody counts by them.
        target_.Report(lsn, "quota off", {});
        return absl::OkStatus();
      default:
        return intents_.Add(lsn, item);
    }
  }

  ReplayTarget& target_;
  BufferRecovery buffers_;
  LogIntents intents_;
  std::set<uint64_t> new_owners_;  // addresses of inodes
};

// A mount frees the inodes without a name, and what they share with others they share no more.
void CountUnlinkedInodes(const Volume& volume, const ReplayTarget& target,
                         UnfinishedChanges& changes) {
  ForEachUnlinkedInode(volume, [&](const Inode& unlinked) {
    target.Report(0, absl::StrCat("unlinked inode ", unlinked.number()), {});
    if (!unlinked.may_share_blocks) {
      return;
    }
    Inode inode = unlinked;
    if (!changes.mappings.FinishFile(volume, inode).ok()) {
      return;
    }
    absl::StatusOr<backends::TreeNode> root = BlockMap::ReadRoot(volume, inode);
    if (!root.ok()) {
      return;
    }
    const BlockMap block_map(volume, inode, *std::move(root));
    // Where its tree is damaged, the rest stays allocated, as with Linux.
    block_map
        .ForEachExtent(0,
                       [&](const Extent& extent) {
                         changes.shares.Add(extent.start_block, extent.block_count, -1);
                         return true;
                       })
        .IgnoreError();
  });
}

}  // namespace

absl::StatusOr<UnfinishedChanges> RecoverLog(const Log& log, const Log::State& state,
                                             Volume& volume,
                                             const backends::ReplayObserver& observer) {
  const Superblock superblock = volume.superblock;
  const uint64_t log_bytes = uint64_t{log.ring().block_count()} * kBasicBlockSize;
  ReplayTarget target{.device = *volume.devices.front(),
                      .superblock = superblock,
                      .observer = observer,
                      .cancels = {},
                      .new_inode_bytes_left = kMostNewInodeBytesPerLogByte * log_bytes};
  IOMAP_RETURN_IF_ERROR(
      ForEachTransaction(log, state, superblock, [&](LogTransaction&& transaction) -> absl::Status {
        for (const LogItem& item : transaction.items) {
          IOMAP_RETURN_IF_ERROR(TurnOf(item).status());
          if (item.type() == LogItemType::kBuffer) {
            IOMAP_ASSIGN_OR_RETURN(const LogBuffer buffer, ParseLogBuffer(item));
            if (buffer.is_cancel()) {
              target.cancels.Add(buffer.place);
            }
          }
        }
        return absl::OkStatus();
      }));
  Replay replay(target);
  IOMAP_RETURN_IF_ERROR(ForEachTransaction(
      log, state, superblock,
      [&](LogTransaction&& transaction) { return replay.ReplayTransaction(transaction); }));
  IOMAP_RETURN_IF_ERROR(replay.Finish());
  IOMAP_ASSIGN_OR_RETURN(volume.superblock, ParseSuperblock(volume.main_device()));
  IOMAP_ASSIGN_OR_RETURN(UnfinishedChanges changes,
                         replay.intents().Finish(target, volume.superblock));
  if (volume.superblock.has_reflink()) {
    CountUnlinkedInodes(volume, target, changes);
  }
  changes.shares.Sort();
  return changes;
}

}  // namespace iomap::xfs
