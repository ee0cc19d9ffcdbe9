#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/endian.h"
#include "backends/ext4/format.h"

// The fast-commit area of ext4's journal as it lies on the medium: records of a head and a value,
// little-endian, packed; none crosses the end of a block. Source: Documentation/filesystems/ext4 of
// Linux ("Fast commits").
namespace iomap::ext4 {

struct DiskFastCommitHead {
  Le16 tag;
  Le16 length;  // bytes of the value
};
static_assert(sizeof(DiskFastCommitHead) == 4);

// Values of tag.
inline constexpr uint16_t kFastCommitAddRange = 1, kFastCommitDeleteRange = 2;
inline constexpr uint16_t kFastCommitCreate = 3, kFastCommitLink = 4, kFastCommitUnlink = 5;
inline constexpr uint16_t kFastCommitInode = 6, kFastCommitPad = 7;
inline constexpr uint16_t kFastCommitTail = 8, kFastCommitStart = 9;

// The values of the tags.
struct DiskFastCommitStart {  // the first of all
  Le32 features;
  Le32 sequence;  // of the transaction that the fast commits follow upon
};
struct DiskFastCommitAddRange {
  Le32 inode;
  DiskExtent extent;
};
struct DiskFastCommitDeleteRange {
  Le32 inode;
  Le32 file_block;
  Le32 length;
};
struct DiskFastCommitEntry {  // create, link, unlink; the name follows
  Le32 directory;
  Le32 inode;
};
struct DiskFastCommitInode {  // the inode's record follows
  Le32 inode;
};
struct DiskFastCommitTail {  // the last of each fast commit; padding may follow
  Le32 sequence;
  Le32 checksum;  // CRC-32C from 0 of the commit's records, up to this field
};
static_assert(sizeof(DiskFastCommitAddRange) == 16 && sizeof(DiskFastCommitDeleteRange) == 12);
static_assert(sizeof(DiskFastCommitTail) == 8);

}  // namespace iomap::ext4
