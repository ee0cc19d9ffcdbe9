#pragma once

#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dax/file.h"
#include "iomap/attributes.h"
#include "iomap/file.h"
#include "tests/support/extent_list.h"
#include "tests/support/kernel_file.h"

namespace iomap::tests {

// Comparisons of one file of ours with what somebody else says of it. Each returns OK, or the first
// difference as a status of one line.

// All that the file says of its allocated ranges, after it was found to tell the same story by
// every way to ask for it: MapForReport in one walk, MapForRead, Fiemap with its `last`, single
// positions, random windows.
absl::StatusOr<ExtentList> ConsistentExtentsOf(File& file, std::mt19937_64& random);

// Regular files: the kernel's FIEMAP, block by block, and FIBMAP and lseek(2) at the edges of
// extents and at random offsets. Directories: FIEMAP, where the kernel has it for them. Asks the
// kernel before anything has read the contents: pages of an unwritten range that lie in the page
// cache count as data to lseek.
absl::Status CompareMappings(File& file, const Attributes& attributes, uint32_t block_size,
                             const KernelFile& kernel_file, std::mt19937_64& random);

// The bytes of two files of `size` bytes. Of what `other` calls a hole, only the edges are read in
// large files.
absl::Status CompareContents(dax::File& file, uint64_t size, const KernelFile& other);

// stat(2)'s answer for `path`, a symbolic link not followed.
absl::StatusOr<Attributes> StatAttributes(const std::string& path);

// Which of the attributes two sources have in common.
enum class AttributeSet {
  kAll,               // the same inode
  kAllButAccessTime,  // the same inode, by a referee who does not tell the time of access
  kAllButTimes,       // the same inode, some time later
  kCopied,            // another file system: what a copy of a file keeps (type, permissions, size)
};
absl::Status CompareAttributes(absl::string_view referee, const Attributes& expected,
                               const Attributes& actual, AttributeSet set);

}  // namespace iomap::tests
