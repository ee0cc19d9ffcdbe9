#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/oracle/recipes.h"

namespace iomap::tests {
namespace {

constexpr char kUuid[] = "6d0f9d2c-1b57-4f0e-9d2a-0c5a3b1e7f42";
constexpr char kOtherUuid[] = "d1c5a9e4-7e0b-4c43-8a71-5f2f6b9c3d10";
constexpr char kHashSeed[] = "a3b1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d";

// An image with Debian's defaults but for `options`. "-E" options are `extended`.
Recipe Ext4(std::string name, uint32_t block_size, Arguments options,
            const std::string& extended = "") {
  Recipe recipe;
  recipe.name = "ext4_" + std::move(name);
  recipe.type = "ext4";
  recipe.mkfs = {"mkfs.ext4", "-q", "-F", "-U", kUuid, "-b", absl::StrCat(block_size)};
  recipe.mkfs.insert(
      recipe.mkfs.end(),
      {"-E", absl::StrCat("hash_seed=", kHashSeed, extended.empty() ? "" : ",", extended)});
  recipe.mkfs.insert(recipe.mkfs.end(), options.begin(), options.end());
  recipe.fill.block_size = block_size;
  recipe.fill.longest_symlink = block_size == 1024 ? 1023 : 2047;
  recipe.fill.xattr_bytes = static_cast<int>(block_size) - 300;
  recipe.proof = {absl::StrCat("block size ", block_size)};
  return recipe;
}

Recipe WithProof(Recipe recipe, std::vector<std::string> proof) {
  recipe.proof.insert(recipe.proof.end(), proof.begin(), proof.end());
  return recipe;
}

// Files without extents: no unwritten space, and an end at three levels of indirect blocks.
Recipe BlockMapped(Recipe recipe) {
  recipe.fill.preallocate = false;
  recipe.fill.zero_range = false;
  recipe.fill.far_offset = (recipe.fill.block_size == 1024 ? uint64_t{15} : uint64_t{200}) << 30;
  recipe.proof.push_back("indirect 3");
  return recipe;
}

std::vector<Recipe> Sizes() {
  std::vector<Recipe> recipes;
  Recipe deepest = Ext4("block_1024", 1024, {});
  deepest.fill.fragments = 30000;
  deepest.fill.directory_entries = 4000;
  deepest.mounted_proof = {"extent depth 3", "hashed directory", "unwritten extent", "slow symlink",
                           "fast symlink"};
  recipes.push_back(deepest);
  Recipe middle = Ext4("block_2048", 2048, {});
  middle.fill.fragments = 2000;
  middle.mounted_proof = {"extent depth 2", "hashed directory", "unwritten extent"};
  recipes.push_back(middle);
  Recipe usual = Ext4("block_4096", 4096, {});
  usual.fill.fragments = 3000;
  usual.mounted_proof = {"extent depth 2", "hashed directory", "unwritten extent",
                         "feature metadata_csum"};
  recipes.push_back(usual);
  Recipe largest = Ext4("block_65536", 65536, {});
  largest.kernel_mounts = false;
  largest.image_bytes = uint64_t{2} << 30;
  largest.fill.directory_entries = 6000;
  largest.after_fill = {{"e2fsck", "-fyD"}};
  recipes.push_back(WithProof(largest, {"extent depth 1", "unwritten extent", "hashed directory"}));
  for (int bytes : {128, 256, 512, 1024}) {
    Recipe recipe = Ext4(absl::StrCat("inode_", bytes), 4096, {"-I", absl::StrCat(bytes)});
    recipes.push_back(WithProof(recipe, {absl::StrCat("inode size ", bytes)}));
  }
  return recipes;
}

std::vector<Recipe> FileMaps() {
  std::vector<Recipe> recipes;
  for (uint32_t block_size : {1024, 2048, 4096}) {
    Recipe ext3 = Ext4(absl::StrCat("ext3_block_", block_size), block_size, {});
    ext3.mkfs.front() = "mkfs.ext3";
    recipes.push_back(WithProof(BlockMapped(ext3), {"feature has_journal"}));
  }
  Recipe ext2 = Ext4("ext2", 1024, {});
  ext2.mkfs.front() = "mkfs.ext2";
  recipes.push_back(BlockMapped(ext2));
  Recipe ext2_large = Ext4("ext2_block_65536", 65536, {});
  ext2_large.mkfs.front() = "mkfs.ext2";
  ext2_large.kernel_mounts = false;
  ext2_large.image_bytes = uint64_t{2} << 30;
  ext2_large.fill.far_offset = uint64_t{1} << 42;
  recipes.push_back(WithProof(ext2_large, {"indirect 2"}));
  Recipe oldest = Ext4("ext2_revision_0", 1024, {"-r", "0", "-O", "none"});
  oldest.mkfs.front() = "mkfs.ext2";
  oldest.fill.xattr_bytes = 0;
  oldest = BlockMapped(oldest);
  oldest.fill.far_offset = (uint64_t{1} << 31) - (1 << 20);  // no large_file feature
  recipes.push_back(oldest);
  for (int inode_bytes : {256, 1024}) {
    Recipe recipe = Ext4(absl::StrCat("inline_data_inode_", inode_bytes), 4096,
                         {"-O", "inline_data", "-I", absl::StrCat(inode_bytes)});
    recipe.mounted_proof = {"inline directory"};
    // mke2fs 1.47 gives a sparse file a size that ends with its last data.
    recipe.mkfs_copies_sparse_files = false;
    recipes.push_back(WithProof(recipe, {"feature inline_data", "inline file"}));
  }
  for (uint32_t block_size : {1024, 4096}) {
    Recipe recipe = Ext4(absl::StrCat("bigalloc_block_", block_size), block_size,
                         {"-O", "bigalloc", "-C", absl::StrCat(16 * block_size)});
    recipes.push_back(WithProof(recipe, {"feature bigalloc", "extent depth 1"}));
  }
  return recipes;
}

std::vector<Recipe> Groups() {
  std::vector<Recipe> recipes;
  recipes.push_back(Ext4("32bit", 4096, {"-O", "^64bit"}));
  recipes.push_back(Ext4("32bit_block_1024", 1024, {"-O", "^64bit"}));
  recipes.push_back(WithProof(Ext4("64bit", 1024, {"-O", "64bit"}), {"feature 64bit"}));
  recipes.push_back(
      WithProof(Ext4("flex_bg", 1024, {"-O", "flex_bg", "-G", "8"}), {"feature flex_bg"}));
  recipes.push_back(Ext4("no_flex_bg", 1024, {"-O", "^flex_bg"}));
  recipes.push_back(WithProof(Ext4("meta_bg", 1024, {"-O", "meta_bg,^resize_inode", "-g", "2048"}),
                              {"feature meta_bg"}));
  recipes.push_back(WithProof(
      Ext4("meta_bg_32bit", 1024, {"-O", "meta_bg,^resize_inode,^64bit,^flex_bg", "-g", "2048"}),
      {"feature meta_bg"}));
  recipes.push_back(
      WithProof(Ext4("sparse_super2", 1024, {"-O", "sparse_super2"}), {"feature sparse_super2"}));
  recipes.push_back(Ext4("no_sparse_super", 1024, {"-O", "^sparse_super,^resize_inode"}));
  return recipes;
}

std::vector<Recipe> Checksums() {
  std::vector<Recipe> recipes;
  recipes.push_back(Ext4("no_metadata_csum", 4096, {"-O", "^metadata_csum,^uninit_bg"}));
  recipes.push_back(
      WithProof(Ext4("gdt_csum", 1024, {"-O", "^metadata_csum,uninit_bg"}), {"feature uninit_bg"}));
  recipes.push_back(
      WithProof(Ext4("gdt_csum_32bit", 4096, {"-O", "^metadata_csum,uninit_bg,^64bit"}),
                {"feature uninit_bg"}));
  Recipe seed = Ext4("metadata_csum_seed", 1024, {"-O", "metadata_csum_seed"});
  seed.after_mkfs = {{"tune2fs", "-U", kOtherUuid}};
  recipes.push_back(WithProof(seed, {"feature metadata_csum_seed"}));
  recipes.push_back(WithProof(Ext4("metadata_csum_32bit", 1024, {"-O", "metadata_csum,^64bit"}),
                              {"feature metadata_csum"}));
  return recipes;
}

std::vector<Recipe> Directories() {
  std::vector<Recipe> recipes;
  for (const char* hash : {"legacy", "half_md4", "tea"}) {
    for (const auto& [sign, flag] : {std::pair("signed", "1"), std::pair("unsigned", "2")}) {
      Recipe recipe = Ext4(absl::StrCat("hash_", hash, "_", sign), 1024, {});
      recipe.after_mkfs = {{"tune2fs", "-E", absl::StrCat("hash_alg=", hash)},
                           {"debugfs", "-w", "-R", absl::StrCat("set_super_value flags ", flag)}};
      recipe.after_fill = {};
      recipe.fill.small_files = 10;
      recipe.fill.fragments = 0;
      recipe.mounted_proof = {"hashed directory"};
      recipes.push_back(WithProof(
          recipe, {absl::StrCat("hash ", hash), absl::StrCat("flag ", sign, "_directory_hash")}));
    }
  }
  Recipe large = Ext4("large_dir", 1024, {"-O", "large_dir", "-N", "60000"});
  large.fill.directory_entries = 36000;
  large.fill.name_bytes = 250;
  large.mkfs_fills = false;
  large.mounted_proof = {"hashed directory"};
  recipes.push_back(WithProof(large, {"feature large_dir"}));
  recipes.push_back(Ext4("linear_directories", 4096, {"-O", "^dir_index"}));
  recipes.push_back(Ext4("no_filetype", 1024, {"-O", "^filetype"}));
  Recipe casefold = Ext4("casefold", 4096, {"-O", "casefold"}, "encoding=utf8");
  casefold.kernel_mounts = false;
  casefold.after_fill = {{"debugfs", "-w", "-R", "set_inode_field /entries-60 flags 0x40080000"},
                         {"debugfs", "-w", "-R", "set_inode_field /large flags 0x40080000"},
                         {"e2fsck", "-fyD"}};
  recipes.push_back(WithProof(casefold, {"feature casefold", "hashed directory"}));
  return recipes;
}

std::vector<Recipe> Largest() {
  Recipe recipe = Ext4("largest", 4096, {"-O", "large_dir"});
  recipe.image_bytes = uint64_t{4} << 30;
  recipe.fill.fragments = 200100;
  recipe.fill.directory_entries = 100000;
  recipe.fill.small_files = 10;
  recipe.mkfs_fills = false;
  recipe.mounted_proof = {"200,000 extents", "hashed directory"};
  return {recipe};
}

std::vector<Recipe> OtherFeatures() {
  std::vector<Recipe> recipes;
  Recipe ea_inode = Ext4("ea_inode", 4096, {"-O", "ea_inode"});
  ea_inode.fill.xattr_bytes = 20000;
  recipes.push_back(WithProof(ea_inode, {"feature ea_inode"}));
  recipes.push_back(
      WithProof(Ext4("orphan_file", 4096, {"-O", "orphan_file"}), {"feature orphan_file"}));
  recipes.push_back(Ext4("no_journal", 4096, {"-O", "^has_journal"}));
  // Linux mounts these with options of its build that the kernel at hand does not have.
  Recipe quota = Ext4("quota_project_verity", 4096, {"-O", "quota,project,verity,stable_inodes"});
  quota.kernel_mounts = false;
  recipes.push_back(WithProof(quota, {"feature quota", "feature project", "feature verity"}));
  recipes.push_back(Ext4("fast_commit", 4096, {"-O", "fast_commit"}));
  recipes.push_back(Ext4("few_features", 1024,
                         {"-O", "^huge_file,^dir_nlink,^extra_isize,^ext_attr,^resize_inode"}));
  return recipes;
}

}  // namespace

std::vector<Recipe> Ext4Recipes() {
  std::vector<Recipe> recipes;
  for (auto make :
       {&Sizes, &FileMaps, &Groups, &Checksums, &Directories, &Largest, &OtherFeatures}) {
    for (Recipe& recipe : make()) {
      recipes.push_back(std::move(recipe));
    }
  }
  return recipes;
}

}  // namespace iomap::tests
