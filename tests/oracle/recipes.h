#pragma once

#include <vector>

#include "tests/support/recipe.h"

namespace iomap::tests {

// One image for each value of what the back ends support.
std::vector<Recipe> Ext4Recipes();
std::vector<Recipe> XfsRecipes();

}  // namespace iomap::tests
