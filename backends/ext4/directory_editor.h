#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/ext4/extent_editor.h"
#include "backends/ext4/volume.h"
#include "iomap/byte_range.h"

namespace iomap::ext4 {

// The names of one directory, to be changed; each change is put in place at once. For replay alone.
// Not thread-safe.
//
// A new name goes to the first place in a linear directory, or to its hash's block in a hashed one.
// Where a hashed directory would have to be split it becomes linear instead, which every reader
// understands, and, as a split would, one block longer.
class DirectoryEditor {
 public:
  // Reads all blocks of a directory. `volume` and `extents`, the directory's own, outlive the
  // editor. DataLoss for damage.
  static absl::StatusOr<DirectoryEditor> Read(Volume& volume, BlockAllocator& allocator,
                                              ExtentEditor& extents, uint32_t directory);

  // The inode of a name; 0 when there is none. Where the directory folds case, the name may be
  // stored in another spelling; Remove takes that one out.
  uint32_t Find(absl::string_view name) const;

  // `name` is not there yet. `type` is the directory entry's number for the file's type.
  // Returns the block that has changed.
  absl::StatusOr<ByteRange> Add(absl::string_view name, uint32_t inode, unsigned char type);

  // `name` is there. Returns the block that has changed.
  absl::StatusOr<ByteRange> Remove(absl::string_view name);

  // Makes an inode that is in place and has no blocks an empty directory, one block long.
  static absl::Status Create(Volume& volume, BlockAllocator& allocator, ExtentEditor& extents,
                             uint32_t directory, uint32_t parent);

 private:
  struct Block {
    uint64_t address = 0;
    bool is_index = false;
    std::vector<std::byte> bytes = {};
    // No record of more bytes has room: full blocks are passed over without a look.
    size_t most_room = std::numeric_limits<size_t>::max();
  };
  struct Name {
    uint32_t inode = 0;
    size_t block = 0;  // in blocks_
  };

  using Names = absl::flat_hash_map<std::string, Name>;

  DirectoryEditor(Volume& volume, BlockAllocator& allocator, ExtentEditor& extents,
                  uint32_t directory)
      : volume_(&volume), allocator_(&allocator), extents_(&extents), directory_(directory) {}

  void Note(absl::string_view name, const Name& meaning);
  Names::const_iterator Lookup(absl::string_view name) const;
  absl::StatusOr<uint64_t> HashedBlockOf(absl::string_view name) const;
  // The part of a block that holds names.
  absl::Span<std::byte> EntriesOf(Block& block) const;
  bool Insert(Block& block, absl::string_view name, uint32_t inode, unsigned char type) const;
  absl::StatusOr<size_t> AppendBlock();
  absl::Status MakeLinear();
  absl::StatusOr<ByteRange> WriteBlock(Block& block) const;

  Volume* volume_;
  BlockAllocator* allocator_;
  ExtentEditor* extents_;
  uint32_t directory_;
  bool is_hashed_ = false;
  bool folds_case_ = false;
  std::vector<Block> blocks_;
  Names names_;
  // Where case is folded: the names as they are stored, by what FoldName makes of them.
  absl::flat_hash_map<std::string, std::string> folded_names_;
};

}  // namespace iomap::ext4
