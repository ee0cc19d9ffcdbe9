#include "backends/ext4/journal_superblock.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "backends/crc32c.h"
#include "backends/ext4/jbd2_format.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

constexpr uint32_t kKnownIncompat = kJournalIncompatRevoke | kJournalIncompat64Bit |
                                    kJournalIncompatAsyncCommit | kJournalIncompatChecksumV2 |
                                    kJournalIncompatChecksumV3 | kJournalIncompatFastCommit;

absl::Status Damaged(absl::string_view what, uint64_t value, absl::string_view expected) {
  return absl::DataLossError(
      absl::StrCat("ext4 journal superblock: ", what, " ", value, ", ", expected));
}

absl::Status CheckFeatures(const DiskJournalSuperblock& disk) {
  std::vector<std::string> unknown;
  const auto add_unknown = [&](absl::string_view word, uint32_t bits) {
    for (int bit = 0; bit < 32; ++bit) {
      if ((bits >> bit & 1) != 0) {
        unknown.push_back(absl::StrFormat("%s 0x%x", word, 1u << bit));
      }
    }
  };
  add_unknown("incompat", disk.feature_incompat.get() & ~kKnownIncompat);
  add_unknown("ro_compat", disk.feature_ro_compat.get());
  if (!unknown.empty()) {
    return absl::UnimplementedError(absl::StrCat(
        "ext4 journal superblock: features that are not known: ", absl::StrJoin(unknown, ", ")));
  }
  return absl::OkStatus();
}

absl::Status ParseChecksums(absl::Span<const std::byte> bytes, const DiskJournalSuperblock& disk,
                            JournalSuperblock& superblock) {
  const uint32_t incompat = disk.feature_incompat.get();
  const bool v1 = (disk.feature_compat.get() & kJournalCompatChecksum) != 0;
  const bool v2 = (incompat & kJournalIncompatChecksumV2) != 0;
  const bool v3 = (incompat & kJournalIncompatChecksumV3) != 0;
  if (v1 + v2 + v3 > 1) {
    return Damaged("checksum versions", v1 + v2 + v3, "at most one at a time");
  }
  if (!v2 && !v3) {
    superblock.checksums = v1 ? JournalChecksums::kV1 : JournalChecksums::kNone;
    return absl::OkStatus();
  }
  superblock.checksums = v3 ? JournalChecksums::kV3 : JournalChecksums::kV2;
  if (disk.checksum_type != kJournalChecksumCrc32c) {
    return absl::UnimplementedError(absl::StrCat("ext4 journal superblock: checksum type ",
                                                 disk.checksum_type, ", known is 4 (crc32c)"));
  }
  const uint32_t computed = JournalSuperblockChecksum(bytes);
  if (computed != disk.checksum.get()) {
    return Damaged("checksum", disk.checksum.get(), absl::StrCat("computed ", computed));
  }
  superblock.checksum_seed = backends::ExtendCrc32c(
      ~0u, bytes.subspan(offsetof(DiskJournalSuperblock, uuid), sizeof disk.uuid));
  return absl::OkStatus();
}

// Finds the ring, and the fast-commit area behind it. Linux leaves the first block behind the ring
// unused.
absl::Status ParseAreas(const DiskJournalSuperblock& disk, uint64_t file_blocks,
                        JournalSuperblock& superblock) {
  superblock.block_count = disk.block_count.get();
  superblock.ring_begin = disk.first_block.get();
  superblock.ring_end = superblock.block_count;
  superblock.fast_commit_begin = superblock.block_count;
  if (superblock.block_count > file_blocks) {
    return Damaged("blocks", superblock.block_count, absl::StrCat("its inode has ", file_blocks));
  }
  if (superblock.has_fast_commits) {
    const uint32_t said = disk.fast_commit_blocks.get();
    const uint32_t blocks = said == 0 ? kDefaultFastCommitBlocks : said;
    if (blocks >= superblock.block_count) {
      return Damaged("fast-commit blocks", blocks,
                     absl::StrCat("the journal has ", superblock.block_count));
    }
    superblock.ring_end -= blocks;
    superblock.fast_commit_begin = superblock.ring_end + 1;
  }
  if (superblock.ring_begin == 0 || superblock.ring_begin >= superblock.ring_end) {
    return Damaged("first block", superblock.ring_begin,
                   absl::StrCat("1 to ", superblock.ring_end, " are possible"));
  }
  superblock.start = disk.start.get();
  superblock.sequence = disk.sequence.get();
  if (superblock.start != 0 &&
      (superblock.start < superblock.ring_begin || superblock.start >= superblock.ring_end)) {
    return Damaged("start", superblock.start,
                   absl::StrCat("the log is ", superblock.ring_begin, " to ", superblock.ring_end));
  }
  return absl::OkStatus();
}

}  // namespace

uint32_t JournalSuperblockChecksum(absl::Span<const std::byte> bytes) {
  constexpr size_t kBegin = offsetof(DiskJournalSuperblock, checksum);
  uint32_t crc = backends::ExtendCrc32c(~0u, bytes.first(kBegin));
  crc = backends::ExtendCrc32cByZeros(crc, sizeof(Be32));
  return backends::ExtendCrc32c(crc, bytes.subspan(kBegin + sizeof(Be32)));
}

absl::StatusOr<JournalSuperblock> ParseJournalSuperblock(absl::Span<const std::byte> bytes,
                                                         uint32_t block_size,
                                                         uint64_t file_blocks) {
  IOMAP_CHECK(bytes.size() == sizeof(DiskJournalSuperblock));
  const auto disk = backends::CopyOut<DiskJournalSuperblock>(bytes.data());
  if (disk.header.magic.get() != kJournalMagic) {
    return Damaged("magic", disk.header.magic.get(), absl::StrCat("not ", kJournalMagic));
  }
  const uint32_t type = disk.header.block_type.get();
  if (type != kJournalSuperblockV1 && type != kJournalSuperblockV2) {
    return Damaged("block type", type, "3 or 4 are possible");
  }
  if (disk.block_size.get() != block_size) {
    return Damaged("block size", disk.block_size.get(),
                   absl::StrCat("the file system's is ", block_size));
  }
  JournalSuperblock superblock;
  superblock.has_error = disk.error_number.get() != 0;
  if (type == kJournalSuperblockV2) {
    IOMAP_RETURN_IF_ERROR(CheckFeatures(disk));
    IOMAP_RETURN_IF_ERROR(ParseChecksums(bytes, disk, superblock));
    const uint32_t incompat = disk.feature_incompat.get();
    superblock.has_64bit = (incompat & kJournalIncompat64Bit) != 0;
    superblock.has_fast_commits = (incompat & kJournalIncompatFastCommit) != 0;
    superblock.commits_asynchronously = (incompat & kJournalIncompatAsyncCommit) != 0;
  }
  IOMAP_RETURN_IF_ERROR(ParseAreas(disk, file_blocks, superblock));
  return superblock;
}

}  // namespace iomap::ext4
