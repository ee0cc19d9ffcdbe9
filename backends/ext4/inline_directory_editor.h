#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/ext4/inode_record.h"
#include "backends/ext4/volume.h"
#include "iomap/byte_range.h"

namespace iomap::ext4 {

// The names of one directory that lies inside its inode, to be changed. For replay alone. A copy:
// it is out of date as soon as the inode changes. Not thread-safe.
class InlineDirectoryEditor {
 public:
  struct Name {
    std::string name;
    uint32_t inode = 0;
    unsigned char type = 0;  // as it is stored
  };

  // `volume` outlives the editor. DataLoss for damage.
  static absl::StatusOr<InlineDirectoryEditor> Read(Volume& volume, uint32_t directory);

  // The directory that its inode says it lies in.
  uint32_t parent() const;
  const std::vector<Name>& names() const { return names_; }
  // The inode of a name; 0 when there is none.
  uint32_t Find(absl::string_view name) const;

  // `name` is not there yet. Puts the inode in place with it; false, and nothing has changed, when
  // there is no room.
  absl::StatusOr<bool> Add(absl::string_view name, uint32_t inode, unsigned char type);

  // `name` is there. Puts the inode in place without it.
  absl::Status Remove(absl::string_view name);

  // The inode's record on the device.
  ByteRange place() const;

  // Makes the inode, which has inline data and may be new, an empty directory.
  static absl::Status Create(Volume& volume, uint32_t directory, uint32_t parent);

 private:
  InlineDirectoryEditor(Volume& volume, InodeRecord record)
      : volume_(&volume), record_(std::move(record)) {}

  // Where the two pieces of inline data lie in the record.
  absl::Status FindPieces();
  // The part of piece 0 or 1 that holds names.
  absl::Span<std::byte> Run(size_t piece);

  struct Piece {
    size_t offset = 0;  // in the record, in bytes
    size_t size = 0;
  };

  Volume* volume_;
  InodeRecord record_;
  Piece pieces_[2];
  std::vector<Name> names_;
};

}  // namespace iomap::ext4
