#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace iomap::ext4 {

// Changes of a run of directory entries: the part of a block that holds names, or a piece of inline
// data. Runs that are changed have passed ForEachEntry, all of them. `block_size` is the file
// system's, in bytes; `type` is a directory entry's number for the file's type.

// What an entry with such a name takes at least, in bytes.
size_t DirectoryRecordBytes(size_t name_length);

// Makes a record of `length` bytes at `place`; an empty name is an unused record.
void PutDirectoryRecord(std::byte* place, size_t length, uint32_t block_size, uint32_t inode,
                        unsigned char type, absl::string_view name);

// Puts an entry in the first room that suffices; false when there is none.
bool InsertDirectoryRecord(absl::Span<std::byte> run, uint32_t block_size, absl::string_view name,
                           uint32_t inode, unsigned char type);

// Takes out the entry of this name, if it is there; what lies in front of it takes its room.
void RemoveDirectoryRecord(absl::Span<std::byte> run, uint32_t block_size, absl::string_view name);

}  // namespace iomap::ext4
