#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace iomap::tests {

// What FillTree may use, and how much of it.
struct FillOptions {
  uint32_t block_size = 4096;  // bytes: files are laid out around multiples of it
  uint64_t seed = 1;
  int small_files = 60;                     // files of seeded random layout
  int directory_entries = 2000;             // names in the largest directory
  int name_bytes = 0;                       // the length of those names; 0: between 20 and 80
  int fragments = 600;                      // extents of the most fragmented file, about
  int nested_directories = 40;              // how deep directories hang below each other
  int longest_symlink = 1000;               // bytes of the longest target
  int xattr_bytes = 3000;                   // of the largest extended attribute; 0: none at all
  uint64_t far_offset = uint64_t{1} << 40;  // where the sparsest file has its last data
  bool sparse = true;                       // holes, in more than one file that is nothing else
  bool preallocate = true;  // fallocate(2) of unwritten space, past the end of file too
  bool zero_range = true;   // FALLOC_FL_ZERO_RANGE
  bool clone = false;       // FICLONE and FICLONERANGE
  bool root = true;         // owners, device files, trusted attributes
};

// Fills the existing directory `root_path` with files of every shape: empty, tiny, sparse,
// preallocated, punched, fragmented, far beyond 2^32 bytes, cloned; deep, wide and half emptied
// directories; hard and symbolic links of every length; devices, pipes and sockets; extended
// attributes; dates outside of 1970 to 2038. The same options give the same tree. Unavailable, with
// the path, when the file system refuses something.
absl::Status FillTree(const std::string& root_path, const FillOptions& options);

// Makes `path` a file of `extents` extents with a hole before each: space is set aside in one piece
// and each other block given back. Of the space, the part before `written_blocks` is written. Needs
// fallocate(2).
absl::Status MakeFragmentedFile(const std::string& path, uint32_t block_size, int extents,
                                int written_blocks);

// Makes `entries` names in the new directory `path`: links to a few empty files. A name has
// `name_bytes` bytes, or, for 0, between 20 and 80; not all of them are ASCII.
absl::Status MakeLargeDirectory(const std::string& path, int entries, int name_bytes,
                                uint64_t seed);

}  // namespace iomap::tests
