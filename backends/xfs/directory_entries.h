#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/xfs/superblock.h"
#include "iomap/attributes.h"

namespace iomap::xfs {

// One entry of a directory as it lies in a block or in an inode, checked: the name is a name, the
// inode number one that could exist.
struct RawEntry {
  uint32_t offset = 0;     // in the block; in short form, where in a block it would be
  absl::string_view name;  // in place
  InodeNumber inode = 0;
  FileType type = FileType::kUnknown;
  uint32_t end = 0;  // the offset of what follows, in the same way
};

// Parses the entry at `offset` of the directory block `bytes`, whose entries end at `entries_end`.
// DataLoss whose message has no place.
absl::StatusOr<RawEntry> ParseEntry(const Superblock& superblock, absl::Span<const std::byte> bytes,
                                    uint32_t offset, uint32_t entries_end);

// Calls `visit` for the entries of the directory block `bytes`, "." and ".." among them, until it
// returns false. DataLoss whose message has no place.
absl::Status WalkEntries(const Superblock& superblock, absl::Span<const std::byte> bytes,
                         uint32_t entries_end, absl::FunctionRef<bool(const RawEntry&)> visit);

// A directory in short form: `local` is its inode's data fork. Calls `visit` for the entries, "."
// and ".." are not among them, and returns the parent's inode number. DataLoss whose message has no
// place.
absl::StatusOr<InodeNumber> WalkShortForm(const Superblock& superblock,
                                          absl::Span<const std::byte> local,
                                          absl::FunctionRef<bool(const RawEntry&)> visit);

}  // namespace iomap::xfs
