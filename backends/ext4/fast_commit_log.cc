#include "backends/ext4/fast_commit_log.h"

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/fast_commit_format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::CopyOut;
using Bytes = absl::Span<const std::byte>;

constexpr size_t kMostNameBytes = 255;

bool IsLengthRight(uint16_t tag, size_t length, uint32_t inode_size) {
  switch (tag) {
    case kFastCommitAddRange:
      return length == sizeof(DiskFastCommitAddRange);
    case kFastCommitDeleteRange:
      return length == sizeof(DiskFastCommitDeleteRange);
    case kFastCommitCreate:
    case kFastCommitLink:
    case kFastCommitUnlink:
      return length > sizeof(DiskFastCommitEntry) &&
             length <= sizeof(DiskFastCommitEntry) + kMostNameBytes;
    case kFastCommitInode:
      return length >= sizeof(DiskFastCommitInode) + kSmallInodeBytes &&
             length <= sizeof(DiskFastCommitInode) + inode_size;
    case kFastCommitPad:
      return true;
    case kFastCommitTail:
      return length >= sizeof(DiskFastCommitTail);
    case kFastCommitStart:
      return length == sizeof(DiskFastCommitStart);
    default:
      return false;
  }
}

class Scan {
 public:
  Scan(const Journal& journal, uint32_t sequence, uint32_t inode_size)
      : journal_(journal), sequence_(sequence), inode_size_(inode_size) {}

  absl::StatusOr<std::vector<FastCommitRecord>> Run() {
    const JournalSuperblock& superblock = journal_.superblock();
    for (uint32_t index = superblock.fast_commit_begin; index < superblock.block_count; ++index) {
      IOMAP_ASSIGN_OR_RETURN(const Bytes bytes, journal_.Block(index));
      const bool is_first = index == superblock.fast_commit_begin;
      if (is_first && CopyOut<DiskFastCommitHead>(bytes.data()).tag.get() != kFastCommitStart) {
        break;  // nothing was ever written here, or it was cleared
      }
      IOMAP_ASSIGN_OR_RETURN(const bool goes_on, ReadBlock(index, bytes));
      if (!goes_on) {
        break;
      }
    }
    records_.resize(whole_records_);
    return std::move(records_);
  }

 private:
  // What ends the area, once a fast commit was whole; before, it is damage.
  absl::StatusOr<bool> EndsAt(uint32_t index, size_t offset, absl::string_view what,
                              uint64_t value) const {
    if (has_whole_commit_) {
      return false;
    }
    return absl::DataLossError(absl::StrCat("ext4 journal block ", index, ", fast commit at byte ",
                                            offset, ": ", what, " ", value));
  }

  absl::StatusOr<bool> ReadBlock(uint32_t index, Bytes bytes) {
    size_t offset = 0;
    while (offset + sizeof(DiskFastCommitHead) <= bytes.size()) {
      const auto head = CopyOut<DiskFastCommitHead>(bytes.data() + offset);
      const size_t value_offset = offset + sizeof head;
      const size_t length = head.length.get();
      if (length > bytes.size() - value_offset ||
          !IsLengthRight(head.tag.get(), length, inode_size_)) {
        return EndsAt(index, offset, absl::StrCat("tag ", head.tag.get(), " of length"), length);
      }
      const FastCommitRecord record{head.tag.get(), bytes.subspan(value_offset, length)};
      if (record.tag == kFastCommitTail) {
        checksum_ = backends::ExtendCrc32c(
            checksum_, bytes.subspan(offset, sizeof head + offsetof(DiskFastCommitTail, checksum)));
      } else {
        checksum_ = backends::ExtendCrc32c(checksum_, bytes.subspan(offset, sizeof head + length));
      }
      IOMAP_ASSIGN_OR_RETURN(const bool goes_on, ReadRecord(index, offset, record));
      if (!goes_on) {
        return false;
      }
      offset = value_offset + length;
    }
    return true;
  }

  absl::StatusOr<bool> ReadRecord(uint32_t index, size_t offset, const FastCommitRecord& record) {
    switch (record.tag) {
      case kFastCommitStart: {
        const auto start = CopyOut<DiskFastCommitStart>(record.value.data());
        if (start.features.get() != 0) {
          return absl::UnimplementedError(
              absl::StrCat("ext4 journal block ", index,
                           ": fast-commit features that are not known: ", start.features.get()));
        }
        return start.sequence.get() == sequence_;
      }
      case kFastCommitTail: {
        const auto tail = CopyOut<DiskFastCommitTail>(record.value.data());
        if (tail.sequence.get() != sequence_) {
          return EndsAt(index, offset, "transaction", tail.sequence.get());
        }
        if (tail.checksum.get() != checksum_) {
          return EndsAt(index, offset, "checksum", tail.checksum.get());
        }
        has_whole_commit_ = true;
        whole_records_ = records_.size();
        checksum_ = 0;
        return true;
      }
      case kFastCommitPad:
        return true;
      default:
        records_.push_back(record);
        return true;
    }
  }

  const Journal& journal_;
  const uint32_t sequence_;
  const uint32_t inode_size_;
  uint32_t checksum_ = 0;
  bool has_whole_commit_ = false;
  std::vector<FastCommitRecord> records_;
  size_t whole_records_ = 0;  // how many of them belong to whole fast commits
};

}  // namespace

absl::StatusOr<std::vector<FastCommitRecord>> ScanFastCommits(const Journal& journal,
                                                              uint32_t next_sequence,
                                                              uint32_t inode_size) {
  return Scan(journal, next_sequence, inode_size).Run();
}

}  // namespace iomap::ext4
