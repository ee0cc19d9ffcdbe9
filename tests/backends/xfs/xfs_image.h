#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/open_options.h"
#include "backends/xfs/extent.h"
#include "backends/xfs/superblock.h"
#include "dax/filesystem.h"
#include "tests/support/command.h"

namespace iomap::tests {

// An xfs image of 32 MiB that mkfs.xfs made, in memory, to be changed byte by byte: what no kernel
// would write can be made here. Numbers are stored big-endian, as the format wants them.
class XfsImage {
 public:
  // `options` is mkfs.xfs's, `tree` the lines of a protofile behind the root directory's own line:
  // "name ---644 0 0 /dev/null".
  static absl::StatusOr<XfsImage> Make(const Arguments& options, absl::string_view tree = "");

  const xfs::Superblock& superblock() const { return superblock_; }
  absl::Span<std::byte> bytes() { return absl::MakeSpan(bytes_); }
  const std::vector<std::byte>& contents() const { return bytes_; }
  void Truncate(uint64_t size) { bytes_.resize(size); }

  // Stores the low `width` bytes of `value` at byte `address`; Get reads them.
  void Put(uint64_t address, uint64_t value, size_t width);
  uint64_t Get(uint64_t address, size_t width) const;
  void Flip(uint64_t address) { bytes_[address] ^= std::byte{0xFF}; }
  // Makes the checksum at `address + crc_offset` right again for the `size` bytes at `address`.
  void FixChecksum(uint64_t address, uint64_t size, size_t crc_offset);

  void FixSuperblock();
  void FixInode(InodeNumber inode);
  // Where the data fork of `inode` begins.
  uint64_t ForkOf(InodeNumber inode) const;
  // Replaces the data fork of `inode` by extents, in the inode.
  void SetExtents(InodeNumber inode, absl::Span<const xfs::Extent> extents);
  // Stores one extent record at byte `address`.
  void PutExtent(uint64_t address, const xfs::Extent& extent);

  // Opens a copy, with `realtime_bytes` of a realtime device unless there are none.
  absl::StatusOr<std::unique_ptr<dax::Filesystem>> Open(const backends::OpenOptions& options = {},
                                                        size_t realtime_bytes = 0) const;

 private:
  XfsImage(std::vector<std::byte> bytes, xfs::Superblock superblock)
      : bytes_(std::move(bytes)), superblock_(std::move(superblock)) {}

  std::vector<std::byte> bytes_;
  xfs::Superblock superblock_;  // as mkfs.xfs made it
};

// Lines of a protofile: a directory `name` of `count` empty files called "prefix-NUMBER".
std::string ProtoDirectory(absl::string_view name, int count, absl::string_view prefix);

}  // namespace iomap::tests
