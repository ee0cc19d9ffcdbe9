#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "iomap/attributes.h"
#include "tests/support/extent_list.h"

namespace iomap::tests {

// What a debugging program of a format says of one inode.
struct RefereeFile {
  Attributes attributes;  // access_time is left out
  ExtentList extents;     // canonical; all that is allocated, past the end of file too
};

// What it says of an image.
struct RefereeReport {
  std::map<InodeNumber, RefereeFile> files;
  // Facts that a recipe can ask for as a proof that its image has what its name says: "block size
  // 1024", "feature bigalloc", "extent depth 3", "directory btree". The words of each referee's
  // header.
  std::set<std::string> facts;
};

}  // namespace iomap::tests
