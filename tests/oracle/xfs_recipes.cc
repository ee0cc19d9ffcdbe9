#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tests/oracle/recipes.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr char kUuid[] = "3b9a0f6e-52d7-4c1b-a3f8-9e61d2c7b405";
constexpr char kOtherUuid[] = "f07d8c2b-6a94-4e5d-b1c3-2d8e7f605a19";

// An image with Debian's defaults but for `options`.
Recipe Xfs(std::string name, uint32_t block_size, Arguments options) {
  Recipe recipe;
  recipe.name = "xfs_" + std::move(name);
  recipe.type = "xfs";
  recipe.image_bytes = uint64_t{512} << 20;
  recipe.mkfs = {"mkfs.xfs", "-q", "-f", "-b", absl::StrCat("size=", block_size)};
  recipe.mkfs.insert(recipe.mkfs.end(), options.begin(), options.end());
  recipe.fill.block_size = block_size;
  recipe.fill.longest_symlink = 1023;
  recipe.fill.xattr_bytes = 60000;
  recipe.fill.clone = true;
  recipe.fill.fragments = 1500;
  // mkfs.xfs 6.1 writes longer ones into blocks without the header of version 5, which Linux
  // refuses.
  recipe.mkfs_longest_symlink = 300;
  recipe.proof = {absl::StrCat("block size ", block_size)};
  return recipe;
}

Recipe WithProof(Recipe recipe, std::vector<std::string> proof) {
  recipe.proof.insert(recipe.proof.end(), proof.begin(), proof.end());
  return recipe;
}

// With all that Linux 6.18 no longer mounts.
Recipe Version4(const std::string& name, uint32_t block_size, Arguments options) {
  Recipe recipe =
      Xfs(absl::StrCat("v4_", name), block_size, {"-m", "crc=0,finobt=0,rmapbt=0,reflink=0"});
  recipe.mkfs.insert(recipe.mkfs.end(), options.begin(), options.end());
  recipe.kernel_mounts = false;
  recipe.mkfs_longest_symlink = 1023;
  return WithProof(recipe, {"version V4", "directory short", "directory block", "directory leaf",
                            "directory node", "symlink local", "symlink extents"});
}

std::vector<Recipe> Sizes() {
  std::vector<Recipe> recipes;
  Recipe smallest = Xfs("block_1024", 1024, {});
  smallest.fill.fragments = 20000;
  smallest.fill.directory_entries = 6000;
  smallest.mounted_proof = {"file btree", "directory node", "symlink extents", "shared extent",
                            "unwritten extent"};
  recipes.push_back(smallest);
  for (uint32_t block_size : {2048, 4096, 16384, 65536}) {
    Recipe recipe = Xfs(absl::StrCat("block_", block_size), block_size, {});
    if (block_size == 65536) {
      recipe.image_bytes = uint64_t{2} << 30;
    }
    recipe.fill.directory_entries = block_size > 4096 ? 12000 : 3000;
    recipe.mounted_proof = {"file btree",      "file extents",    "directory short",
                            "directory block", "directory leaf",  "directory node",
                            "symlink local",   "symlink extents", "shared extent",
                            "unwritten extent"};
    recipes.push_back(recipe);
  }
  for (int bytes : {512, 4096}) {
    recipes.push_back(
        WithProof(Xfs(absl::StrCat("sector_", bytes), 4096, {"-s", absl::StrCat("size=", bytes)}),
                  {absl::StrCat("sector size ", bytes)}));
  }
  for (int bytes : {512, 1024, 2048}) {
    recipes.push_back(
        WithProof(Xfs(absl::StrCat("inode_", bytes), 4096, {"-i", absl::StrCat("size=", bytes)}),
                  {absl::StrCat("inode size ", bytes)}));
  }
  for (const auto& [block_size, directory_size] :
       {std::pair(1024, 4096), std::pair(1024, 65536), std::pair(4096, 8192),
        std::pair(4096, 16384), std::pair(4096, 65536), std::pair(16384, 65536)}) {
    Recipe recipe = Xfs(absl::StrCat("block_", block_size, "_directory_block_", directory_size),
                        block_size, {"-n", absl::StrCat("size=", directory_size)});
    recipe.fill.directory_entries = directory_size == 65536 ? 12000 : 5000;
    recipe.fill.small_files = 20;
    recipe.mounted_proof = {"directory leaf", "directory node"};
    recipes.push_back(WithProof(recipe, {absl::StrCat("directory block size ", directory_size)}));
  }
  return recipes;
}

std::vector<Recipe> Features() {
  std::vector<Recipe> recipes;
  Recipe nrext64 = Xfs("nrext64", 4096, {"-i", "nrext64=1"});
  nrext64.mounted_proof = {"large counters", "file btree", "file extents"};
  recipes.push_back(WithProof(nrext64, {"version NREXT64"}));
  Recipe no_reflink = Xfs("no_reflink", 4096, {"-m", "reflink=0"});
  no_reflink.fill.clone = false;
  recipes.push_back(no_reflink);
  recipes.push_back(WithProof(Xfs("rmapbt", 4096, {"-m", "rmapbt=1"}), {"version RMAPBT"}));
  recipes.push_back(
      WithProof(Xfs("rmapbt_block_1024", 1024, {"-m", "rmapbt=1"}), {"version RMAPBT"}));
  recipes.push_back(WithProof(Xfs("bigtime", 4096, {"-m", "bigtime=1"}), {"version BIGTIME"}));
  recipes.push_back(Xfs("no_bigtime", 4096, {"-m", "bigtime=0"}));
  recipes.push_back(Xfs("no_inobtcount", 4096, {"-m", "inobtcount=0"}));
  recipes.push_back(Xfs("no_finobt", 4096, {"-m", "finobt=0,inobtcount=0"}));
  recipes.push_back(Xfs("no_sparse_inodes", 4096, {"-i", "sparse=0"}));
  Recipe meta_uuid = Xfs("meta_uuid", 4096, {"-m", absl::StrCat("uuid=", kUuid)});
  meta_uuid.after_mkfs = {{"xfs_db", "-x", "-c", absl::StrCat("uuid ", kOtherUuid)}};
  recipes.push_back(WithProof(meta_uuid, {"version META_UUID"}));
  recipes.push_back(Xfs("two_groups", 4096, {"-d", "agcount=2"}));
  Recipe many_groups = Xfs("many_groups", 4096, {"-d", "agcount=13"});
  many_groups.image_bytes = uint64_t{2} << 30;
  recipes.push_back(many_groups);
  Recipe stripes = Xfs("stripes", 4096, {"-d", "su=65536,sw=3"});
  stripes.image_bytes = uint64_t{2} << 30;
  recipes.push_back(stripes);
  return recipes;
}

// XFS_IOC_SET_RESBLKS of the format's programming interface, whose header may be missing here.
struct ReservedBlocks {
  uint64_t blocks;
  uint64_t available;
};
constexpr unsigned long kSetReservedBlocks = _IOWR('X', 114, ReservedBlocks);

// Takes all of the space, what the kernel keeps in reserve too, and gives back pieces that are too
// small for a whole chunk of 64 inodes.
absl::Status ScatterFreeSpace(const std::string& mount_path) {
  constexpr uint64_t kHole = 28 << 10;    // bytes, less than the 32 KiB of a chunk
  constexpr uint64_t kPeriod = 56 << 10;  // bytes
  constexpr uint64_t kRest = 512 << 10;   // bytes, for the growing map of the file itself
  const FileDescriptor root(open(mount_path.c_str(), O_RDONLY | O_CLOEXEC));
  ReservedBlocks reserve = {.blocks = 0, .available = 0};
  struct statvfs space = {};
  if (ioctl(root.get(), kSetReservedBlocks, &reserve) != 0 ||
      statvfs(mount_path.c_str(), &space) != 0) {
    return SystemError(mount_path);
  }
  const std::string path = mount_path + "/scattered";
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const uint64_t bytes = (space.f_bavail * space.f_frsize - kRest) / kPeriod * kPeriod;
  if (!file.is_open() || fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) != 0) {
    return SystemError("allocate ", path);
  }
  for (uint64_t offset = 0; offset < bytes; offset += kPeriod) {
    if (fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(offset), kHole) != 0) {
      return SystemError("punch ", path);
    }
  }
  return absl::OkStatus();
}

std::vector<Recipe> SparseInodes() {
  Recipe recipe = Xfs("sparse_inodes", 4096, {"-i", "sparse=1"});
  recipe.prepare = &ScatterFreeSpace;
  recipe.fill.directory_entries = 6000;
  recipe.mounted_proof = {"sparse inode chunk"};
  return {WithProof(recipe, {"version SPARSE_INODES"})};
}

std::vector<Recipe> Largest() {
  Recipe recipe = Xfs("largest", 4096, {"-i", "nrext64=1"});
  recipe.image_bytes = uint64_t{4} << 30;
  recipe.fill.fragments = 200100;
  recipe.fill.directory_entries = 100000;
  recipe.fill.small_files = 10;
  recipe.mkfs_fills = false;
  recipe.mounted_proof = {"200,000 extents", "directory node"};
  return {recipe};
}

std::vector<Recipe> Version4Recipes() {
  std::vector<Recipe> recipes;
  Recipe smallest = Version4("block_512", 512, {});
  smallest.fill.directory_entries = 4000;
  // mkfs gives a regular file one extent at most; a directory that grows among other files has
  // many.
  recipes.push_back(WithProof(smallest, {"inode size 256", "directory btree"}));
  recipes.push_back(Version4("block_1024", 1024, {}));
  Recipe no_ftype = Version4("no_ftype", 4096, {"-n", "ftype=0"});
  recipes.push_back(no_ftype);
  Recipe large_directories = Version4("block_512_directory_block_4096", 512, {"-n", "size=4096"});
  recipes.push_back(WithProof(large_directories, {"directory block size 4096"}));
  recipes.push_back(Version4("block_65536", 65536, {}));
  recipes.back().image_bytes = uint64_t{2} << 30;
  recipes.back().fill.directory_entries = 12000;
  return recipes;
}

}  // namespace

std::vector<Recipe> XfsRecipes() {
  std::vector<Recipe> recipes;
  for (auto make : {&Sizes, &Features, &SparseInodes, &Largest, &Version4Recipes}) {
    for (Recipe& recipe : make()) {
      recipes.push_back(std::move(recipe));
    }
  }
  return recipes;
}

}  // namespace iomap::tests
