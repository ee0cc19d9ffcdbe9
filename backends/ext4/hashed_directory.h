#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// A path down the index of a hashed directory to the leaf blocks that may hold a name. The index
// maps hashes of names to blocks; names of one hash may go on in the following leaf. Not
// thread-safe.
class IndexWalk {
 public:
  // Gives block `index` of the directory, verified.
  using BlockReader =
      absl::AnyInvocable<absl::StatusOr<absl::Span<const std::byte>>(uint64_t index) const>;

  // Goes down to the first leaf for `name`. DataLoss for a damaged index, Unimplemented for an
  // unknown hash.
  static absl::StatusOr<IndexWalk> Find(const Volume& volume, const Inode& directory,
                                        absl::string_view name, BlockReader read_block);

  // The block of the directory that the walk stands on.
  uint64_t leaf() const;

  // Goes on to the next leaf when the index says that it continues the hash. False: there is none.
  absl::StatusOr<bool> NextLeafOfSameHash();

 private:
  struct Level {
    absl::Span<const std::byte> entries;  // those in use
    size_t position = 0;                  // of the entry that was taken
  };

  IndexWalk(const Inode& directory, uint32_t hash, BlockReader read_block)
      : directory_(directory), hash_(hash), read_block_(std::move(read_block)) {}

  absl::StatusOr<Level> ReadLevel(uint64_t block) const;
  absl::Status Damaged(uint64_t block, absl::string_view what, uint64_t value,
                       absl::string_view expected) const;

  const Inode& directory_;
  uint32_t hash_;
  BlockReader read_block_;
  std::vector<Level> levels_;  // from the root down
};

}  // namespace iomap::ext4
