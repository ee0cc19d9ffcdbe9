#include <algorithm>
#include <vector>

#include "absl/types/span.h"
#include "backends/crc32c.h"
#include "backends/endian.h"
#include "backends/xfs/log_format.h"
#include "backends/xfs/superblock.h"
#include "iomap/status_macros.h"
#include "tests/fuzz/journal_checksums.h"

namespace iomap::tests {
namespace {

using backends::Be32;
using backends::ExtendCrc32c;
using backends::ExtendCrc32cByZeros;
using backends::Le32;
using backends::Load;
using xfs::DiskLogRecordHeader;
using xfs::kBasicBlockSize;
using Bytes = absl::Span<const std::byte>;

constexpr size_t kChecksumPlace = offsetof(DiskLogRecordHeader, crc);
constexpr size_t kExtendedHeaderBytes = sizeof(xfs::DiskLogExtendedHeader);
constexpr size_t kCountedHeaderBytes = 328;  // on 64-bit machines

class XfsLogChecksums : public JournalChecksums {
 public:
  XfsLogChecksums(const dax::Device& device, uint64_t log_address, uint64_t basic_blocks)
      : log_address_(log_address), basic_blocks_(basic_blocks) {
    for (uint64_t block = 0; block < basic_blocks_; ++block) {
      // What mkfs writes has no checksum.
      if (Load<Be32>(At(device, block).data()) == xfs::kLogRecordMagic &&
          Load<Le32>(At(device, block).data() + kChecksumPlace) ==
              ChecksumOf(block, RecordAt(device, block), device)) {
        headers_.push_back(block);
      }
    }
  }

  absl::Status Repair(const ByteRange& changed, dax::Device& device) const override {
    const ByteRange log{log_address_, basic_blocks_ * kBasicBlockSize};
    if (!log.Overlaps(changed)) {
      return absl::OkStatus();
    }
    for (uint64_t header : headers_) {
      const Record record = RecordAt(device, header);
      for (uint64_t i = 0; i < record.header_blocks + record.body_blocks; ++i) {
        if (ByteRange{AddressOf(header + i), kBasicBlockSize}.Overlaps(changed)) {
          IOMAP_RETURN_IF_ERROR(RepairRecord(header, record, device));
          break;
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Record {
    uint64_t header_blocks = 1;
    uint64_t body_blocks = 0;
  };

  uint64_t AddressOf(uint64_t block) const {
    return log_address_ + block % basic_blocks_ * kBasicBlockSize;
  }
  Bytes At(const dax::Device& device, uint64_t block) const {
    return device.bytes().subspan(AddressOf(block), kBasicBlockSize);
  }

  Record RecordAt(const dax::Device& device, uint64_t block) const {
    const auto header = backends::CopyOut<DiskLogRecordHeader>(At(device, block).data());
    const uint32_t buffer = std::min(header.buffer_bytes.get(), xfs::kMostLogRecordBytes);
    const uint32_t body = std::min(header.body_bytes.get(), xfs::kMostLogRecordBytes);
    return {std::max<uint64_t>(1, (buffer + xfs::kLogBytesPerHeader - 1) / xfs::kLogBytesPerHeader),
            body / kBasicBlockSize};
  }

  uint32_t ChecksumOf(uint64_t block, const Record& record, const dax::Device& device) const {
    const Bytes header = At(device, block).first(kCountedHeaderBytes);
    uint32_t crc = ExtendCrc32c(~0u, header.first(kChecksumPlace));
    crc = ExtendCrc32cByZeros(crc, sizeof(Le32));
    crc = ExtendCrc32c(crc, header.subspan(kChecksumPlace + sizeof(Le32)));
    const uint64_t body_bytes = record.body_blocks * kBasicBlockSize;
    const uint64_t headers = (body_bytes + xfs::kLogBytesPerHeader - 1) / xfs::kLogBytesPerHeader;
    for (uint64_t i = 1; i < headers; ++i) {
      crc = ExtendCrc32c(crc, At(device, block + i).first(kExtendedHeaderBytes));
    }
    for (uint64_t i = 0; i < record.body_blocks; ++i) {
      crc = ExtendCrc32c(crc, At(device, block + record.header_blocks + i));
    }
    return ~crc;
  }

  absl::Status RepairRecord(uint64_t block, const Record& record, dax::Device& device) const {
    const uint32_t crc = ChecksumOf(block, record, device);
    std::byte stored[sizeof crc];
    for (size_t i = 0; i < sizeof crc; ++i) {
      stored[i] = static_cast<std::byte>(crc >> (8 * i));
    }
    return device.Write(AddressOf(block) + kChecksumPlace, stored);
  }

  const uint64_t log_address_;
  const uint64_t basic_blocks_;
  std::vector<uint64_t> headers_;  // basic blocks of the log
};

}  // namespace

absl::StatusOr<std::unique_ptr<JournalChecksums>> JournalChecksums::ForXfs(
    const dax::Device& device) {
  IOMAP_ASSIGN_OR_RETURN(const xfs::Superblock superblock, xfs::ParseSuperblock(device));
  const uint64_t log_bytes = uint64_t{superblock.log_blocks} << superblock.block_log;
  return std::make_unique<XfsLogChecksums>(device, superblock.AddressOfBlock(superblock.log_start),
                                           log_bytes / kBasicBlockSize);
}

}  // namespace iomap::tests
