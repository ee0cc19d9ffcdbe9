#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "dax/filesystem.h"

namespace iomap::tests {

// A piece of an image that holds metadata and is written as one: a block, a header's sector, a
// directory block.
struct MetadataBlock {
  uint64_t address = 0;  // bytes from the start of the image
  uint32_t length = 0;   // bytes
  // What it holds: "superblock", "inode", "directory", ... The words of both formats where they
  // share them, else the format's own; "other" for bitmaps and what is not told apart.
  std::string kind = {};
  uint32_t record_bytes = 0;  // of the records of a table; else the length
};

// All that is metadata in the undamaged image at `image_path`, in order of address: what is not
// zeros and not the data of a regular file. Space that was freed and never zeroed is among it.
absl::StatusOr<std::vector<MetadataBlock>> FindMetadataBlocks(const std::string& image_path,
                                                              dax::Filesystem& filesystem);

}  // namespace iomap::tests
