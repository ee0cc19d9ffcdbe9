#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/xfs/format.h"

// The XFS log on the medium: a ring of records in basic blocks of 512 bytes. The first four bytes
// of each basic block are its cycle number, or, where a record begins, the magic number with the
// cycle behind it. What the records carry is in log_item_format.h.

namespace iomap::xfs {

inline constexpr uint32_t kBasicBlockSize = 512;

// The first basic block of a record.
struct DiskLogRecordHeader {
  Be32 magic;
  Be32 cycle;
  Be32 version;
  Be32 body_bytes;
  Be64 lsn;  // cycle << 32 | basic block
  Be64 tail_lsn;
  Le32 crc;
  Be32 previous_block;
  Be32 operation_count;
  Be32 cycle_data[64];  // what the cycle numbers have replaced in the first 64 basic blocks of the
                        // body
  Be32 format;          // the byte order of the items
  Uuid uuid;
  Be32 buffer_bytes;  // version 2; decides how many basic blocks the header has
  uint8_t padding[188];
};
static_assert(sizeof(DiskLogRecordHeader) == kBasicBlockSize);
static_assert(offsetof(DiskLogRecordHeader, cycle_data) == 44);
static_assert(offsetof(DiskLogRecordHeader, uuid) == 304);
static_assert(offsetof(DiskLogRecordHeader, buffer_bytes) == 320);

// The further basic blocks of the header of a record above 32 KiB begin with these bytes.
struct DiskLogExtendedHeader {
  Be32 cycle;
  Be32 cycle_data[64];
};
static_assert(sizeof(DiskLogExtendedHeader) == 260);

inline constexpr uint32_t kLogRecordMagic = 0xFEEDBABE;
inline constexpr uint32_t kLogVersion2 = 2;
inline constexpr uint32_t kLogBytesPerHeader = 32768;    // body bytes that one header block serves
inline constexpr uint32_t kMostLogRecordBytes = 262144;  // version 2
inline constexpr uint32_t kMostLogRecordsInFlight = 8;

inline constexpr uint32_t kLogFormatLinuxLittleEndian = 1;
inline constexpr uint32_t kLogFormatLinuxBigEndian = 2;
inline constexpr uint32_t kLogFormatIrix = 3;

// The header of one operation in a record's body.
struct DiskLogOperation {
  Be32 transaction;
  Be32 bytes;
  uint8_t client;
  uint8_t flags;
  Be16 padding;
};
static_assert(sizeof(DiskLogOperation) == 12);
inline constexpr uint8_t kLogClientTransaction = 0x69;
inline constexpr uint8_t kLogClientLog = 0xAA;
inline constexpr uint8_t kLogStartFlag = 0x01;
inline constexpr uint8_t kLogCommitFlag = 0x02;
inline constexpr uint8_t kLogContinueFlag = 0x04;      // the region goes on in another operation
inline constexpr uint8_t kLogWasContinuedFlag = 0x08;  // this one goes on with a region
inline constexpr uint8_t kLogEndFlag = 0x10;
inline constexpr uint8_t kLogUnmountFlag = 0x20;

}  // namespace iomap::xfs
