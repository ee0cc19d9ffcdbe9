#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/endian.h"

// The journal of ext4 (jbd2) as it lies on the medium: layouts and constants only; FORMAT.md beside
// this file is the prose. Everything is big-endian. Source: Documentation/filesystems/ext4 of Linux
// ("Journal (jbd2)").
namespace iomap::ext4 {

using backends::Be16;
using backends::Be32;
using backends::Be64;

inline constexpr uint32_t kJournalMagic = 0xC03B3998;

// The head of each block of the journal that is not a copy of a block of the file system.
struct DiskJournalHeader {
  Be32 magic;
  Be32 block_type;
  Be32 sequence;  // of the transaction
};
static_assert(sizeof(DiskJournalHeader) == 12);

// Values of block_type.
inline constexpr uint32_t kJournalDescriptor = 1, kJournalCommit = 2, kJournalSuperblockV1 = 3;
inline constexpr uint32_t kJournalSuperblockV2 = 4, kJournalRevoke = 5;

// The journal's own superblock, the first 1024 bytes of its block 0.
struct DiskJournalSuperblock {
  DiskJournalHeader header;
  Be32 block_size;
  Be32 block_count;
  Be32 first_block;  // of the ring; the superblock is block 0
  Be32 sequence;     // the number of the first transaction to replay
  Be32 start;        // the block of it; 0: the journal is empty
  Be32 error_number;
  // From here on in version 2 alone.
  Be32 feature_compat;
  Be32 feature_incompat;
  Be32 feature_ro_compat;
  unsigned char uuid[16];
  Be32 user_count;
  Be32 dynamic_superblock;
  Be32 most_transaction_blocks, most_transaction_data;
  unsigned char checksum_type;
  unsigned char unused_51[3];
  Be32 fast_commit_blocks;  // 0: kDefaultFastCommitBlocks
  Be32 head;
  unsigned char unused_5c[0xfc - 0x5c];
  Be32 checksum;
  unsigned char users[16 * 48];
};
static_assert(sizeof(DiskJournalSuperblock) == 1024);
static_assert(offsetof(DiskJournalSuperblock, start) == 0x1c);
static_assert(offsetof(DiskJournalSuperblock, checksum_type) == 0x50);
static_assert(offsetof(DiskJournalSuperblock, checksum) == 0xfc);
inline constexpr uint32_t kDefaultFastCommitBlocks = 256;
inline constexpr unsigned char kJournalChecksumCrc32c = 4;

inline constexpr uint32_t kJournalCompatChecksum = 0x1;
inline constexpr uint32_t kJournalIncompatRevoke = 0x1, kJournalIncompat64Bit = 0x2;
inline constexpr uint32_t kJournalIncompatAsyncCommit = 0x4, kJournalIncompatChecksumV2 = 0x8;
inline constexpr uint32_t kJournalIncompatChecksumV3 = 0x10, kJournalIncompatFastCommit = 0x20;

// A tag of a descriptor block: where the copy that follows belongs. Unless kTagSameUuid is set, 16
// bytes of a UUID follow the tag. This form without checksum version 3; block_hi only with 64bit,
// and two bytes more with checksum version 2 (they have no use).
struct DiskJournalTag {
  Be32 block_lo;
  Be16 checksum;  // version 2: the low half
  Be16 flags;
  Be32 block_hi;
};
// The form with checksum version 3, with or without 64bit.
struct DiskJournalTag3 {
  Be32 block_lo;
  Be32 flags;
  Be32 block_hi;
  Be32 checksum;
};
static_assert(sizeof(DiskJournalTag) == 12 && sizeof(DiskJournalTag3) == 16);
inline constexpr uint32_t kTagEscaped = 1;  // the copy's first four bytes were the magic number
inline constexpr uint32_t kTagSameUuid = 2, kTagLast = 8;
inline constexpr size_t kTagUuidBytes = 16;

// The last bytes of descriptor and revoke blocks with checksum versions 2 and 3.
struct DiskJournalTail {
  Be32 checksum;
};

// A revoke block: block numbers follow, of 8 bytes with 64bit, else of 4.
struct DiskJournalRevoke {
  DiskJournalHeader header;
  Be32 byte_count;  // of the block, with this head
};
static_assert(sizeof(DiskJournalRevoke) == 16);

// The head of a commit block.
struct DiskJournalCommit {
  DiskJournalHeader header;
  unsigned char checksum_type;  // version 1: kCommitChecksumCrc32, kCommitChecksumBytes
  unsigned char checksum_size;
  unsigned char padding[2];
  Be32 checksum[8];
  Be64 commit_seconds;
  Be32 commit_nanoseconds;
};
static_assert(sizeof(DiskJournalCommit) == 60);
static_assert(offsetof(DiskJournalCommit, checksum) == 0x10);
static_assert(offsetof(DiskJournalCommit, commit_seconds) == 0x30);
inline constexpr unsigned char kCommitChecksumCrc32 = 1, kCommitChecksumBytes = 4;

}  // namespace iomap::ext4
