#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/volume.h"
#include "backends/open_options.h"
#include "dax/filesystem.h"
#include "tests/support/command.h"

namespace iomap::tests {

// An ext4 image of 8 MiB that mke2fs made, in memory, to be changed byte by byte: what no kernel
// would write can be made here. Numbers are stored little-endian, as the format wants them.
class Ext4Image {
 public:
  // `options` is mke2fs's; `commands` are debugfs's, run on the image: "mkdir a", "write FILE b".
  static absl::StatusOr<Ext4Image> Make(const Arguments& options,
                                        const std::vector<std::string>& commands = {});

  absl::Span<std::byte> bytes() { return absl::MakeSpan(bytes_); }
  void Truncate(uint64_t size) { bytes_.resize(size); }

  // Stores the low `width` bytes of `value` at byte `address`; Get reads them.
  void Put(uint64_t address, uint64_t value, size_t width);
  uint64_t Get(uint64_t address, size_t width) const;
  void Flip(uint64_t address) { bytes_[address] ^= std::byte{0xFF}; }
  // Makes the superblock's checksum right again.
  void FixSuperblock();

  // What the readers of a copy share.
  absl::StatusOr<std::unique_ptr<ext4::Volume>> Volume() const;
  // Opens a copy.
  absl::StatusOr<std::unique_ptr<dax::Filesystem>> Open(
      const backends::OpenOptions& options = {}) const;

 private:
  explicit Ext4Image(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  dax::DeviceSet Devices() const;

  std::vector<std::byte> bytes_;
};

}  // namespace iomap::tests
