#include "tests/support/tree_filler.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

using Random = std::mt19937_64;

constexpr int kWrittenFragments = 1000;  // of a fragmented file; what follows stays unwritten

// A number in [first, last].
uint64_t Between(Random& random, uint64_t first, uint64_t last) {
  return std::uniform_int_distribution<uint64_t>(first, last)(random);
}

absl::Status Check(bool done, absl::string_view what, const std::string& path) {
  return done ? absl::OkStatus() : SystemError(what, " ", path);
}

absl::StatusOr<FileDescriptor> Create(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  IOMAP_RETURN_IF_ERROR(Check(file.is_open(), "create", path));
  return file;
}

// Writes `length` bytes that are never zero and differ from place to place and from file to file.
absl::Status WriteAt(const FileDescriptor& file, Random& random, uint64_t offset, uint64_t length) {
  std::string bytes(std::min<uint64_t>(length, 1 << 20), '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(1 + random() % 255);
  }
  while (length > 0) {
    const ssize_t count = pwrite(file.get(), bytes.data(), std::min<uint64_t>(length, bytes.size()),
                                 static_cast<off_t>(offset));
    if (count <= 0) {
      return SystemError("write of ", length, " bytes at ", offset);
    }
    offset += count;
    length -= count;
  }
  return absl::OkStatus();
}

absl::Status Allocate(const FileDescriptor& file, int mode, uint64_t offset, uint64_t length) {
  return Check(
      fallocate(file.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0,
      "fallocate", absl::StrCat("mode ", mode, " at ", offset, " of ", length));
}

// A name of `bytes` bytes that begins with `number`, so that no two are equal. One in four has
// bytes above 127, where signed and unsigned hashes differ.
std::string EntryName(Random& random, int number, int bytes) {
  std::string name = absl::StrFormat("%d-", number);
  const bool ascii = random() % 4 != 0;
  while (static_cast<int>(name.size()) < bytes) {
    name +=
        ascii ? static_cast<char>('a' + random() % 26) : static_cast<char>(0xa0 + random() % 64);
  }
  return name;
}

class TreeFiller {
 public:
  TreeFiller(std::string root_path, const FillOptions& options)
      : root_(std::move(root_path)),
        options_(options),
        random_(options.seed),
        block_(options.block_size) {}

  absl::Status Fill() {
    IOMAP_RETURN_IF_ERROR(FillFiles());
    IOMAP_RETURN_IF_ERROR(FillDirectories());
    IOMAP_RETURN_IF_ERROR(FillLinks());
    IOMAP_RETURN_IF_ERROR(FillSpecialFiles());
    if (options_.clone) {
      IOMAP_RETURN_IF_ERROR(FillClones());
    }
    if (options_.xattr_bytes > 0) {
      IOMAP_RETURN_IF_ERROR(SetExtendedAttributes());
    }
    return SetDatesAndOwners();
  }

 private:
  absl::Status MakeDirectory(const std::string& path) {
    return Check(mkdir(path.c_str(), 0755) == 0, "mkdir", path);
  }

  absl::Status FillFiles() {
    const std::string folder = root_ + "/files";
    IOMAP_RETURN_IF_ERROR(MakeDirectory(folder));
    IOMAP_RETURN_IF_ERROR(Create(folder + "/empty").status());
    for (uint64_t bytes : {1, 59, 60, 61, 100, 130, 150, 300, 511, 513}) {
      IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file,
                             Create(absl::StrCat(folder, "/tiny-", bytes)));
      IOMAP_RETURN_IF_ERROR(WriteAt(file, random_, 0, bytes));
    }
    for (int i = 0; i < options_.small_files; ++i) {
      IOMAP_RETURN_IF_ERROR(MakeRandomFile(absl::StrCat(folder, "/random-", i)));
    }
    if (options_.sparse) {
      IOMAP_RETURN_IF_ERROR(MakeSparseFile(folder + "/sparse"));
    }
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor hole, Create(folder + "/hole"));
    IOMAP_RETURN_IF_ERROR(Check(ftruncate(hole.get(), 12345678) == 0, "truncate", folder));
    if (options_.fragments > 0 && options_.preallocate) {
      IOMAP_RETURN_IF_ERROR(MakeFragmentedFile(folder + "/fragmented", options_.block_size,
                                               options_.fragments,
                                               std::min(options_.fragments, kWrittenFragments)));
    } else if (options_.fragments > 0 && options_.sparse) {
      IOMAP_RETURN_IF_ERROR(MakePunchedFile(folder + "/fragmented"));
    }
    return absl::OkStatus();
  }

  // A few writes, truncations, preallocations and holes at seeded places.
  absl::Status MakeRandomFile(const std::string& path) {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(path));
    if (!options_.sparse) {
      return WriteAt(file, random_, 0, Between(random_, 1, 40 * block_));
    }
    const int steps = static_cast<int>(Between(random_, 1, 12));
    for (int step = 0; step < steps; ++step) {
      const uint64_t offset = Between(random_, 0, 80 * block_);
      const uint64_t length = Between(random_, 1, 10 * block_);
      switch (Between(random_, 0, 9)) {
        case 0:
          IOMAP_RETURN_IF_ERROR(
              Allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
          break;
        case 1:
        case 2:
          if (options_.preallocate) {
            IOMAP_RETURN_IF_ERROR(Allocate(file, 0, offset, length));
          }
          break;
        case 3:
          if (options_.preallocate) {
            IOMAP_RETURN_IF_ERROR(Allocate(file, FALLOC_FL_KEEP_SIZE, offset, length));
          }
          break;
        case 4:
          if (options_.zero_range) {
            IOMAP_RETURN_IF_ERROR(Allocate(file, FALLOC_FL_ZERO_RANGE, offset, length));
          }
          break;
        case 5:
          IOMAP_RETURN_IF_ERROR(
              Check(ftruncate(file.get(), static_cast<off_t>(offset)) == 0, "truncate", path));
          break;
        default:
          IOMAP_RETURN_IF_ERROR(WriteAt(file, random_, offset, length));
      }
      if (random_() % 4 == 0) {
        fdatasync(file.get());  // so that neighbours are not allocated in one piece
      }
    }
    return absl::OkStatus();
  }

  // Data at the edges of everything that a map of blocks counts in: the 12 direct blocks, one, two
  // and three levels of indirect blocks, 32-bit byte and block numbers.
  absl::Status MakeSparseFile(const std::string& path) {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(path));
    const uint64_t pointers = block_ / 4;
    const uint64_t edges[] = {0,
                              12,
                              12 + pointers,
                              12 + pointers + pointers * pointers,
                              (uint64_t{1} << 31) / block_,
                              (uint64_t{1} << 32) / block_,
                              options_.far_offset / block_};
    for (uint64_t edge : edges) {
      if (edge * block_ > options_.far_offset) {
        continue;
      }
      const uint64_t first = edge == 0 ? 0 : edge - 1;
      IOMAP_RETURN_IF_ERROR(WriteAt(file, random_, first * block_ + 7, 2 * block_));
    }
    return absl::OkStatus();
  }

  absl::Status MakePunchedFile(const std::string& path) {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(path));
    IOMAP_RETURN_IF_ERROR(WriteAt(file, random_, 0, 2 * options_.fragments * block_));
    for (int i = 0; i < options_.fragments; ++i) {
      IOMAP_RETURN_IF_ERROR(
          Allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * i * block_, block_));
    }
    return absl::OkStatus();
  }

  absl::Status FillDirectories() {
    std::string path = root_ + "/deep";
    IOMAP_RETURN_IF_ERROR(MakeDirectory(path));
    for (int depth = 0; depth < options_.nested_directories; ++depth) {
      absl::StrAppend(&path, "/", depth);
      IOMAP_RETURN_IF_ERROR(MakeDirectory(path));
      IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(path + "/file"));
      IOMAP_RETURN_IF_ERROR(WriteAt(file, random_, 0, Between(random_, 1, 3 * block_)));
    }
    for (int entries : {1, 5, 15, 60, 300, options_.directory_entries / 5}) {
      IOMAP_RETURN_IF_ERROR(MakeLargeDirectory(absl::StrCat(root_, "/entries-", entries), entries,
                                               /*name_bytes=*/0, random_()));
    }
    if (options_.directory_entries > 0) {
      IOMAP_RETURN_IF_ERROR(MakeLargeDirectory(root_ + "/large", options_.directory_entries,
                                               options_.name_bytes, random_()));
    }
    return MakeThinnedDirectory(root_ + "/thinned", std::min(options_.directory_entries, 1000));
  }

  // A directory with most of its names taken out again: unused entries, and empty blocks in the
  // middle.
  absl::Status MakeThinnedDirectory(const std::string& path, int entries) {
    IOMAP_RETURN_IF_ERROR(MakeDirectory(path));
    std::vector<std::string> names;
    for (int i = 0; i < entries; ++i) {
      names.push_back(absl::StrCat(path, "/", EntryName(random_, i, 40)));
      IOMAP_RETURN_IF_ERROR(Create(names.back()).status());
    }
    for (int i = 0; i < entries; ++i) {
      const bool in_emptied_part = i > entries / 4 && i < entries / 2;
      if (in_emptied_part || random_() % 3 != 0) {
        IOMAP_RETURN_IF_ERROR(Check(unlink(names[i].c_str()) == 0, "unlink", names[i]));
      }
    }
    return absl::OkStatus();
  }

  absl::Status FillLinks() {
    const std::string folder = root_ + "/links";
    IOMAP_RETURN_IF_ERROR(MakeDirectory(folder));
    for (int i = 0; i < 5; ++i) {
      const std::string path = absl::StrCat(folder, "/hard-", i);
      const std::string target = absl::StrCat(root_, "/files/random-", i % options_.small_files);
      IOMAP_RETURN_IF_ERROR(Check(link(target.c_str(), path.c_str()) == 0, "link", path));
    }
    for (int bytes :
         {1, 20, 58, 59, 60, 61, 100, 155, 200, 335, 400, 700, options_.longest_symlink}) {
      const std::string path = absl::StrCat(folder, "/symbolic-", bytes);
      std::string target;
      for (int i = 0; i < bytes; ++i) {
        target += i % 50 == 3 ? '/' : static_cast<char>('a' + (i + bytes) % 26);
      }
      if (bytes <= options_.longest_symlink && access(path.c_str(), F_OK) != 0) {
        IOMAP_RETURN_IF_ERROR(Check(symlink(target.c_str(), path.c_str()) == 0, "symlink", path));
      }
    }
    return absl::OkStatus();
  }

  absl::Status FillSpecialFiles() {
    const std::string folder = root_ + "/special";
    IOMAP_RETURN_IF_ERROR(MakeDirectory(folder));
    struct Node {
      const char* name;
      mode_t type;
      dev_t device;
    };
    const Node nodes[] = {{"pipe", S_IFIFO, 0},
                          {"socket", S_IFSOCK, 0},
                          {"character", S_IFCHR, makedev(4, 64)},
                          {"block", S_IFBLK, makedev(300, 70000)}};
    for (const Node& node : nodes) {
      const bool is_device = node.type == S_IFCHR || node.type == S_IFBLK;
      const std::string path = absl::StrCat(folder, "/", node.name);
      if (!is_device || options_.root) {
        IOMAP_RETURN_IF_ERROR(
            Check(mknod(path.c_str(), node.type | 0640, node.device) == 0, "mknod", path));
      }
    }
    return absl::OkStatus();
  }

  // Whole clones, clones of parts, and clones that were written over and punched afterwards.
  absl::Status FillClones() {
    const std::string folder = root_ + "/clones";
    IOMAP_RETURN_IF_ERROR(MakeDirectory(folder));
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor source, Create(folder + "/source"));
    IOMAP_RETURN_IF_ERROR(WriteAt(source, random_, 0, 64 * block_));
    for (int i = 0; i < 12; ++i) {
      const std::string path = absl::StrCat(folder, "/clone-", i);
      IOMAP_ASSIGN_OR_RETURN(const FileDescriptor clone, Create(path));
      if (i % 3 == 0) {
        IOMAP_RETURN_IF_ERROR(Check(ioctl(clone.get(), FICLONE, source.get()) == 0, "clone", path));
      }
      for (int part = 0; part < i; ++part) {
        file_clone_range range = {.src_fd = source.get(),
                                  .src_offset = Between(random_, 0, 50) * block_,
                                  .src_length = Between(random_, 1, 10) * block_,
                                  .dest_offset = Between(random_, 0, 100) * block_};
        IOMAP_RETURN_IF_ERROR(
            Check(ioctl(clone.get(), FICLONERANGE, &range) == 0, "clone a part to", path));
      }
      IOMAP_RETURN_IF_ERROR(WriteAt(clone, random_, Between(random_, 0, 60 * block_),
                                    Between(random_, 1, 3 * block_)));
      IOMAP_RETURN_IF_ERROR(Allocate(clone, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     Between(random_, 0, 60 * block_), 2 * block_));
    }
    return absl::OkStatus();
  }

  absl::Status SetExtendedAttribute(const std::string& path, const char* name, int bytes) {
    const std::string value(bytes, 'v');
    return Check(lsetxattr(path.c_str(), name, value.data(), value.size(), 0) == 0, "setxattr",
                 path);
  }

  // Small ones, which fit into the inode, and large ones, which need blocks. Their inodes' data
  // forks shrink, and their block counts grow.
  absl::Status SetExtendedAttributes() {
    for (int i = 0; i < options_.small_files; i += 4) {
      const std::string path = absl::StrCat(root_, "/files/random-", i);
      IOMAP_RETURN_IF_ERROR(SetExtendedAttribute(path, "user.small", 30));
      if (i % 8 == 0) {
        IOMAP_RETURN_IF_ERROR(SetExtendedAttribute(path, "user.large", options_.xattr_bytes));
      }
    }
    IOMAP_RETURN_IF_ERROR(SetExtendedAttribute(root_ + "/files/tiny-100", "user.a", 40));
    IOMAP_RETURN_IF_ERROR(SetExtendedAttribute(root_ + "/entries-15", "user.a", 40));
    IOMAP_RETURN_IF_ERROR(
        SetExtendedAttribute(root_ + "/entries-300", "user.b", options_.xattr_bytes));
    if (options_.root) {
      IOMAP_RETURN_IF_ERROR(SetExtendedAttribute(root_ + "/links/symbolic-20", "trusted.a", 30));
      IOMAP_RETURN_IF_ERROR(
          SetExtendedAttribute(root_ + "/links/symbolic-59", "trusted.b", options_.xattr_bytes));
    }
    return absl::OkStatus();
  }

  absl::Status SetDatesAndOwners() {
    const timespec dates[][2] = {{{-1, 999999999}, {-2000000000, 1}},
                                 {{0, 0}, {2147483647, 5}},
                                 {{2147483648, 7}, {4294967296, 123456789}},
                                 {{8000000000, 9}, {15000000000, 11}}};
    for (size_t i = 0; i < std::size(dates); ++i) {
      const std::string path = absl::StrCat(root_, "/files/tiny-", i == 0 ? 1 : 58 + i);
      IOMAP_RETURN_IF_ERROR(
          Check(utimensat(AT_FDCWD, path.c_str(), dates[i], 0) == 0, "utimensat", path));
    }
    if (options_.root) {
      const std::string path = root_ + "/files/tiny-300";
      IOMAP_RETURN_IF_ERROR(Check(chown(path.c_str(), 0x12345, 0x7fedcba9) == 0, "chown", path));
      IOMAP_RETURN_IF_ERROR(Check(chmod(path.c_str(), 06751) == 0, "chmod", path));
    }
    return absl::OkStatus();
  }

  const std::string root_;
  const FillOptions options_;
  Random random_;
  const uint64_t block_;
};

}  // namespace

absl::Status FillTree(const std::string& root_path, const FillOptions& options) {
  return TreeFiller(root_path, options).Fill();
}

absl::Status MakeFragmentedFile(const std::string& path, uint32_t block_size, int extents,
                                int written_blocks) {
  IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(path));
  Random random(extents);
  const uint64_t block = block_size;
  IOMAP_RETURN_IF_ERROR(Allocate(file, 0, 0, 2 * extents * block));
  if (written_blocks > 0) {
    IOMAP_RETURN_IF_ERROR(WriteAt(file, random, 0, written_blocks * block));
    IOMAP_RETURN_IF_ERROR(Check(fsync(file.get()) == 0, "fsync", path));
  }
  for (int i = 0; i < extents; ++i) {
    IOMAP_RETURN_IF_ERROR(
        Allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * i * block, block));
  }
  return absl::OkStatus();
}

absl::Status MakeLargeDirectory(const std::string& path, int entries, int name_bytes,
                                uint64_t seed) {
  constexpr int kLinksOfOneFile = 30000;  // XFS allows 2^31, ext4 65,000
  Random random(seed);
  IOMAP_RETURN_IF_ERROR(Check(mkdir(path.c_str(), 0755) == 0, "mkdir", path));
  std::string target;
  for (int i = 0; i < entries; ++i) {
    const int bytes = name_bytes > 0 ? name_bytes : static_cast<int>(Between(random, 20, 80));
    const std::string name = absl::StrCat(path, "/", EntryName(random, i, bytes));
    const bool needs_file = i % kLinksOfOneFile == 0 || i % 7 == 3;
    if (needs_file && (i % kLinksOfOneFile == 0 || i < 2000)) {
      IOMAP_RETURN_IF_ERROR(Create(name).status());
      target = name;
    } else {
      IOMAP_RETURN_IF_ERROR(Check(link(target.c_str(), name.c_str()) == 0, "link", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace iomap::tests
