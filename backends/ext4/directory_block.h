#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/ext4/format.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "iomap/attributes.h"

namespace iomap::ext4 {

// One entry in use, as it lies in a block; "." and ".." are entries too. `name` points into the
// block.
struct RawEntry {
  absl::string_view name;
  uint32_t inode = 0;
  FileType type = FileType::kUnknown;
  size_t end =
      0;  // where the next entry begins, in bytes from the start of the space that is walked
};

// A contiguous run of directory entries: a whole block, or a piece of inline data.
struct EntrySpace {
  absl::Span<const std::byte> bytes;
  uint64_t offset = 0;  // in the directory, for error messages
};

// The length of a directory record, in bytes, and the number that stands for it in its head. They
// have the block size's 16 bits; with 64 KiB blocks the two lowest, always 0, stand for bits 16 and
// 17, and 65535 and 0 for a whole block.
size_t RecordLength(const DiskDirectoryEntry& entry, uint32_t block_size);
uint16_t EncodedRecordLength(size_t length, uint32_t block_size);

// Calls `entry` for the entries in use of `space` from byte `begin` on, until it returns false.
// Every record passed is checked: length, alignment, name, inode number. DataLoss with the place
// otherwise, also when `begin` is no entry's.
absl::Status ForEachEntry(const Volume& volume, const Inode& directory, const EntrySpace& space,
                          size_t begin, absl::FunctionRef<bool(const RawEntry&)> entry);

// True when `bytes`, block `index` of `directory`, holds index entries of a hashed directory.
// (Their blocks look like one unused directory entry to who does not know them.)
bool IsIndexBlock(const Inode& directory, uint64_t index, absl::Span<const std::byte> bytes);

// Where the array of index entries begins in an index block: behind the root's own entries and its
// info, or behind the unused entry of an inner node.
size_t IndexEntriesOffset(uint64_t index);

// Checks the checksum of block `index` of `directory`; OK when the file system has none. DataLoss
// with the place and both values.
absl::Status CheckDirectoryBlock(const Volume& volume, const Inode& directory, uint64_t index,
                                 absl::Span<const std::byte> bytes);

// How many bytes of a linear block its entries have: all, or those in front of its tail.
size_t LinearEntryBytes(const Superblock& superblock);

// Writes the tail of a linear block, with the checksum of what is in front of it, if the file
// system has such tails.
void PutLinearTail(const Superblock& superblock, uint32_t checksum_seed,
                   absl::Span<std::byte> block);

}  // namespace iomap::ext4
