#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/command.h"
#include "tests/support/tree_filler.h"

namespace iomap::tests {

// How to make one image with one value of one property of a format, and how to know that it has it.
struct Recipe {
  std::string name;  // of the test: letters, digits and underscores
  std::string type;  // "ext4" or "xfs": the back end, and the kernel's word for mount(2)
  uint64_t image_bytes = uint64_t{256} << 20;
  Arguments mkfs;                     // the program and its options; the image's path is appended
  std::vector<Arguments> after_mkfs;  // programs to run next, the image's path appended to each
  std::vector<Arguments> after_fill;  // the same when the tree is in the image
  FillOptions fill;
  bool kernel_mounts = true;  // whether Linux 6.18 can mount it
  bool mkfs_fills = true;     // whether an image that mkfs fills is worth its time
  // What this mkfs copies rightly from a tree.
  bool mkfs_copies_sparse_files = true;
  int mkfs_longest_symlink = 4095;  // bytes
  // Runs on the mounted, still empty file system.
  absl::Status (*prepare)(const std::string& mount_path) = nullptr;
  // Facts that the referee must find (referee.h): what every image of the recipe has, and what only
  // one that was filled through a mount has.
  std::vector<std::string> proof;
  std::vector<std::string> mounted_proof;
};

inline std::ostream& operator<<(std::ostream& out, const Recipe& recipe) {
  return out << recipe.name;
}

}  // namespace iomap::tests
