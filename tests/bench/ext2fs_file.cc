#include "tests/bench/ext2fs_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

extern "C" {
#include <ext2fs/ext2fs.h>
}

namespace iomap::tests {
namespace {

absl::Status Check(errcode_t error, absl::string_view call) {
  return error == 0 ? absl::OkStatus()
                    : absl::InternalError(absl::StrCat(call, ": libext2fs error ", error));
}

}  // namespace

struct Ext2fsFile::Handles {
  ext2_filsys filesystem = nullptr;
  ext2_ino_t inode_number = 0;
  ext2_inode_large inode = {};

  ext2_inode* short_inode() { return reinterpret_cast<ext2_inode*>(&inode); }
  ~Handles() {
    if (filesystem != nullptr) {
      ext2fs_close(filesystem);
    }
  }
};

Ext2fsFile::Ext2fsFile(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
Ext2fsFile::~Ext2fsFile() = default;

absl::StatusOr<std::unique_ptr<Ext2fsFile>> Ext2fsFile::Open(const std::string& image,
                                                             const std::string& path) {
  auto handles = std::make_unique<Handles>();
  IOMAP_RETURN_IF_ERROR(
      Check(ext2fs_open2(image.c_str(), nullptr, EXT2_FLAG_64BITS | EXT2_FLAG_THREADS, 0, 0,
                         unix_io_manager, &handles->filesystem),
            "ext2fs_open2"));
  IOMAP_RETURN_IF_ERROR(Check(ext2fs_namei(handles->filesystem, EXT2_ROOT_INO, EXT2_ROOT_INO,
                                           path.c_str(), &handles->inode_number),
                              "ext2fs_namei"));
  IOMAP_RETURN_IF_ERROR(
      Check(ext2fs_read_inode_full(handles->filesystem, handles->inode_number,
                                   handles->short_inode(), sizeof(handles->inode)),
            "ext2fs_read_inode_full"));
  return std::unique_ptr<Ext2fsFile>(new Ext2fsFile(std::move(handles)));
}

absl::StatusOr<uint64_t> Ext2fsFile::Bmap(uint64_t file_block) {
  int flags = 0;
  blk64_t block = 0;
  IOMAP_RETURN_IF_ERROR(
      Check(ext2fs_bmap2(handles_->filesystem, handles_->inode_number, handles_->short_inode(),
                         nullptr, 0, file_block, &flags, &block),
            "ext2fs_bmap2"));
  return block;
}

absl::StatusOr<size_t> Ext2fsFile::CountExtents() {
  ext2_extent_handle_t handle = nullptr;
  IOMAP_RETURN_IF_ERROR(Check(ext2fs_extent_open2(handles_->filesystem, handles_->inode_number,
                                                  handles_->short_inode(), &handle),
                              "ext2fs_extent_open2"));
  size_t count = 0;
  ext2fs_extent extent = {};
  errcode_t error = ext2fs_extent_get(handle, EXT2_EXTENT_ROOT, &extent);
  while (error == 0) {
    const bool is_leaf = (extent.e_flags & EXT2_EXTENT_FLAGS_LEAF) != 0;
    const bool second_visit = (extent.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT) != 0;
    count += is_leaf && !second_visit ? 1 : 0;
    error = ext2fs_extent_get(handle, EXT2_EXTENT_NEXT, &extent);
  }
  ext2fs_extent_free(handle);
  if (error != EXT2_ET_EXTENT_NO_NEXT) {
    return Check(error, "ext2fs_extent_get");
  }
  return count;
}

}  // namespace iomap::tests
