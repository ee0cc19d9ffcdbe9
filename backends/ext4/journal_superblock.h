#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace iomap::ext4 {

// How the blocks of a journal are protected. At most one of them.
enum class JournalChecksums {
  kNone,
  kV1,  // CRC-32 of each transaction, in its commit block
  kV2,  // CRC-32C of each block; 16 bits of it for copies
  kV3,  // CRC-32C of each block
};

// The journal's superblock, parsed. Numbers of blocks count from the start of the journal.
struct JournalSuperblock {
  uint32_t block_count = 0;
  uint32_t ring_begin = 0;  // the log is the ring of blocks [ring_begin, ring_end)
  uint32_t ring_end = 0;
  uint32_t fast_commit_begin = 0;  // [begin, block_count); equal when there is no such area
  uint32_t start = 0;              // the first block of the log; 0: the journal is empty
  uint32_t sequence = 0;           // of the transaction there
  JournalChecksums checksums = JournalChecksums::kNone;
  uint32_t checksum_seed = 0;  // kV2, kV3
  bool has_64bit = false;
  bool has_fast_commits = false;
  bool has_error = false;  // Linux gave up writing it, and the file system has errors
  bool commits_asynchronously = false;

  bool has_block_checksums() const {
    return checksums == JournalChecksums::kV2 || checksums == JournalChecksums::kV3;
  }
  uint32_t ring_size() const { return ring_end - ring_begin; }
};

// The checksum of the first 1024 bytes of a journal, which does not count what is stored there.
uint32_t JournalSuperblockChecksum(absl::Span<const std::byte> bytes);

// Parses the first 1024 bytes of a journal of `file_blocks` blocks of `block_size` bytes in a file
// system with such blocks. DataLoss for damage, Unimplemented, by name, for features that are not
// known.
absl::StatusOr<JournalSuperblock> ParseJournalSuperblock(absl::Span<const std::byte> bytes,
                                                         uint32_t block_size, uint64_t file_blocks);

}  // namespace iomap::ext4
