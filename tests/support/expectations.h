#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dax/filesystem.h"
#include "iomap/attributes.h"
#include "tests/support/recipe.h"
#include "tests/support/recipe_image.h"
#include "tests/support/referee.h"
#include "tests/support/tree_comparison.h"

namespace iomap::tests {

// Fails the running test for each of the differences, up to a readable number of them.
void ExpectNone(const std::vector<std::string>& differences);

// Fails the running test unless the report has each of the facts.
void ExpectFacts(const std::vector<std::string>& facts, const RefereeReport& report);

// Fails the running test for each difference between the file system and the tree of the kernel's
// at `truth_path`. Returns the inodes that were met.
std::map<InodeNumber, std::string> ExpectSameTree(dax::Filesystem& filesystem,
                                                  const std::string& truth_path, Truth truth);

// Fails the running test for each of the inodes that debugfs or xfs_db describes otherwise, and for
// each of the facts that it does not find.
void ExpectRefereeAgrees(const Recipe& recipe, const Workshop& workshop,
                         dax::Filesystem& filesystem,
                         const std::map<InodeNumber, std::string>& inodes,
                         const std::vector<std::string>& facts);

}  // namespace iomap::tests
