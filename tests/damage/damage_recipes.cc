#include "tests/damage/damage_recipes.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace iomap::tests {
namespace {

// A tree with every form of file and directory, but few of each: all of it is asked for again in
// each case.
FillOptions SmallTree(uint32_t block_size) {
  FillOptions fill;
  fill.block_size = block_size;
  fill.small_files = 24;
  fill.directory_entries = 600;
  fill.name_bytes = 250;
  fill.nested_directories = 6;
  return fill;
}

DamageRecipe Ext4(std::string name, uint32_t block_size, Arguments options) {
  DamageRecipe recipe;
  recipe.image.name = std::move(name);
  recipe.image.type = "ext4";
  recipe.image.image_bytes = uint64_t{64} << 20;
  recipe.image.mkfs = {"mkfs.ext4",
                       "-q",
                       "-F",
                       "-U",
                       "6d0f9d2c-1b57-4f0e-9d2a-0c5a3b1e7f42",
                       "-b",
                       absl::StrCat(block_size),
                       "-E",
                       "hash_seed=a3b1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"};
  recipe.image.mkfs.insert(recipe.image.mkfs.end(), options.begin(), options.end());
  // What was freed is not worth damaging.
  recipe.image.after_fill = {{"e2fsck", "-fy", "-E", "discard"}};
  recipe.image.fill = SmallTree(block_size);
  recipe.image.fill.longest_symlink = block_size == 1024 ? 1023 : 2047;
  recipe.image.fill.xattr_bytes = static_cast<int>(block_size) - 300;
  recipe.kinds = {"superblock", "group descriptor",        "inode",
                  "directory",  "directory root or index", "symbolic link",
                  "other"};
  return recipe;
}

DamageRecipe Xfs(std::string name, uint32_t block_size, Arguments options) {
  DamageRecipe recipe;
  recipe.image.name = std::move(name);
  recipe.image.type = "xfs";
  recipe.image.image_bytes = uint64_t{512} << 20;
  recipe.image.mkfs = {"mkfs.xfs", "-q", "-f", "-b", absl::StrCat("size=", block_size)};
  recipe.image.mkfs.insert(recipe.image.mkfs.end(), options.begin(), options.end());
  recipe.image.fill = SmallTree(block_size);
  recipe.image.fill.name_bytes = 0;
  recipe.image.fill.longest_symlink = 1023;
  recipe.image.fill.clone = true;
  recipe.kinds = {"superblock",      "AGF",    "AGI", "inode", "inode tree", "directory",
                  "directory index", "journal"};
  return recipe;
}

std::vector<DamageRecipe> Ext4Rows() {
  std::vector<DamageRecipe> recipes;
  DamageRecipe checksums = Ext4("ext4_metadata_csum", 1024, {"-O", "metadata_csum,64bit"});
  checksums.checksums = Checksums::kAllMetadata;
  checksums.mounted_kinds = {"extent tree", "extended attributes", "journal"};
  recipes.push_back(checksums);
  DamageRecipe usual = Ext4("ext4_metadata_csum_block_4096", 4096, {"-O", "metadata_csum,64bit"});
  usual.checksums = Checksums::kAllMetadata;
  recipes.push_back(usual);
  DamageRecipe groups = Ext4("ext4_uninit_bg", 1024, {"-O", "^metadata_csum,uninit_bg"});
  groups.mounted_kinds = {"extent tree"};
  recipes.push_back(groups);
  DamageRecipe ext2 = Ext4("ext2", 1024, {});
  ext2.image.mkfs.front() = "mkfs.ext2";
  ext2.image.fill.preallocate = false;
  ext2.image.fill.zero_range = false;
  ext2.image.fill.fragments = 300;
  ext2.image.fill.far_offset = uint64_t{15} << 30;
  ext2.kinds.push_back("pointers");
  recipes.push_back(ext2);
  DamageRecipe inline_data = Ext4("ext4_inline_data", 1024, {"-O", "inline_data", "-I", "512"});
  inline_data.checksums = Checksums::kAllMetadata;
  recipes.push_back(inline_data);
  DamageRecipe bigalloc = Ext4("ext4_bigalloc", 1024, {"-O", "bigalloc", "-C", "16384"});
  bigalloc.image.image_bytes = uint64_t{256} << 20;
  bigalloc.checksums = Checksums::kAllMetadata;
  recipes.push_back(bigalloc);
  return recipes;
}

std::vector<DamageRecipe> XfsRows() {
  std::vector<DamageRecipe> recipes;
  for (uint32_t block_size : {1024, 4096}) {
    DamageRecipe recipe =
        Xfs(absl::StrCat("xfs_v5_block_", block_size), block_size, {"-m", "reflink=1,rmapbt=1"});
    recipe.checksums = Checksums::kAllMetadata;
    recipe.mounted_kinds = {"extent tree", "reference-count tree", "symbolic link"};
    // mkfs.xfs 6.1 leaves out the header that a target in blocks has.
    recipe.image.mkfs_longest_symlink = 300;
    recipe.image.fill.fragments = block_size == 1024 ? 1300 : 400;
    recipes.push_back(recipe);
  }
  DamageRecipe v4 = Xfs("xfs_v4", 512, {"-m", "crc=0,finobt=0,rmapbt=0,reflink=0"});
  v4.image.kernel_mounts = false;
  v4.kinds.push_back("symbolic link");
  recipes.push_back(v4);
  return recipes;
}

}  // namespace

std::vector<DamageRecipe> DamageRecipes() {
  std::vector<DamageRecipe> recipes = Ext4Rows();
  for (DamageRecipe& recipe : XfsRows()) {
    recipes.push_back(std::move(recipe));
  }
  return recipes;
}

}  // namespace iomap::tests
