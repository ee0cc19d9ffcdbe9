#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "backends/xfs/log_format.h"
#include "backends/xfs/log_item_format.h"
#include "tests/backends/xfs/xfs_image.h"

namespace iomap::tests {

// One region of a log item, put together number by number in the writer's byte order, which is
// little-endian but where it says otherwise.
class Region {
 public:
  Region() = default;
  explicit Region(absl::Span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  // `size` bytes, all `fill`.
  Region(size_t size, uint8_t fill) : bytes_(size, std::byte{fill}) {}

  Region& Add(uint64_t value, size_t width);
  Region& AddBigEndian(uint64_t value, size_t width);
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

using Item = std::vector<Region>;

// A run of a buffer: its offset, a multiple of 128, and bytes, as many.
struct Run {
  uint32_t offset = 0;
  Region bytes;
};
Item BufferItem(uint64_t address, uint32_t length, uint16_t flags, const std::vector<Run>& runs);
Item CancelItem(uint64_t address, uint32_t length);
// What flags say the kind of a buffer.
uint16_t KindFlags(xfs::LogBufferKind kind);

// The core of `inode` as it lies in `image`, as it would be logged.
xfs::DiskLogInode LogCoreOf(const XfsImage& image, InodeNumber inode);
// An item of `inode`; `forks` are the regions behind the core.
Item InodeItem(const XfsImage& image, InodeNumber inode, uint32_t fields,
               const xfs::DiskLogInode& core, const std::vector<Region>& forks = {});

// An intent, or done, of `type`: its extents are the numbers behind the head.
Item IntentItem(xfs::LogItemType type, uint64_t id, const Region& extents, uint32_t extent_count);

// Writes a log into an image whose log was never used, record by record.
class LogBuilder {
 public:
  struct Options {
    uint32_t version = 2;
    uint32_t buffer_bytes = 32768;
    uint32_t format = xfs::kLogFormatLinuxLittleEndian;
    uint32_t cycle = 1;  // above 1, the whole log has the cycle before at first
    uint32_t block = 0;  // of the first record
    bool checksums = true;
  };
  // One operation of a record.
  struct Operation {
    uint32_t transaction = 1;
    uint8_t flags = 0;
    std::vector<std::byte> bytes = {};
  };

  LogBuilder(XfsImage& image, const Options& options);
  explicit LogBuilder(XfsImage& image) : LogBuilder(image, Options()) {}

  // Puts a record of these operations; returns its LSN. May wrap.
  uint64_t PutRecord(const std::vector<Operation>& operations);
  // Puts a committed transaction into a record of its own.
  uint64_t Commit(const std::vector<Item>& items);

  // The operations of a transaction, from its start to its commit.
  static std::vector<Operation> OperationsOf(uint32_t transaction, const std::vector<Item>& items);

 private:
  uint64_t AddressOf(uint64_t block) const { return address_ + block % blocks_ * 512; }
  uint32_t Checksum(uint64_t block, uint32_t body_bytes) const;

  XfsImage& image_;
  const Options options_;
  const uint32_t header_blocks_;
  uint64_t address_ = 0;
  uint64_t blocks_ = 0;
  uint64_t next_;  // counts on where the log wraps
  const uint64_t tail_lsn_;
};

}  // namespace iomap::tests
