#pragma once

#include <string>
#include <vector>

#include "tests/support/recipe.h"

namespace iomap::tests {

// Whether a format's checksums tell each damage of its metadata.
enum class Checksums { kNone, kAllMetadata };

// One small image: how it is made, and what it must contain so that damaging it means something.
struct DamageRecipe {
  Recipe image;
  Checksums checksums = Checksums::kNone;
  // Kinds of metadata (MetadataBlock::kind) that the image must have, and those that it has only
  // when it was filled through a mount.
  std::vector<std::string> kinds;
  std::vector<std::string> mounted_kinds;
};

inline std::ostream& operator<<(std::ostream& out, const DamageRecipe& recipe) {
  return out << recipe.image.name;
}

// Small blocks, so that few files make deep trees.
std::vector<DamageRecipe> DamageRecipes();

}  // namespace iomap::tests
