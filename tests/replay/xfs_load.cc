#include "tests/replay/xfs_load.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <random>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"
#include "tests/support/tree_filler.h"
#include "tests/support/tree_load.h"

namespace iomap::tests {
namespace {

constexpr uint32_t kBlock = 4096;
constexpr uint64_t kSharedBlocks = 64;  // of each file that shares blocks

uint64_t Below(std::mt19937_64& random, uint64_t end) {
  return std::uniform_int_distribution<uint64_t>(0, end - 1)(random);
}

absl::Status MakeFolder(const std::string& path) {
  return mkdir(path.c_str(), 0755) == 0 ? absl::OkStatus() : SystemError(path);
}

absl::Status WriteBlocks(int file, uint64_t block, uint64_t count, char fill) {
  const std::string bytes(count * kBlock, fill);
  const ssize_t written =
      pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(block * kBlock));
  return written == static_cast<ssize_t>(bytes.size()) ? absl::OkStatus() : SystemError("pwrite");
}

// One change of the files "0" to "7" in `folder`, each of which may share blocks with each other.
absl::Status ChangeSharedFile(const std::string& folder, std::mt19937_64& random) {
  const std::string path = absl::StrCat(folder, "/", Below(random, 8));
  const std::string other = absl::StrCat(folder, "/", Below(random, 8));
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  const FileDescriptor source(open(other.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  if (!file.is_open() || !source.is_open()) {
    return SystemError(path);
  }
  const uint64_t block = Below(random, kSharedBlocks);
  const uint64_t count = 1 + Below(random, 8);
  switch (Below(random, 8)) {
    case 0:
    case 1:
    case 2:
      IOMAP_RETURN_IF_ERROR(
          WriteBlocks(file.get(), block, count, static_cast<char>('a' + Below(random, 26))));
      return fdatasync(file.get()) == 0 ? absl::OkStatus() : SystemError(path);
    case 3:
      return ftruncate(file.get(), static_cast<off_t>(block * kBlock)) == 0 ? absl::OkStatus()
                                                                            : SystemError(path);
    case 4:
      return fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       static_cast<off_t>(block * kBlock), static_cast<off_t>(count * kBlock)) == 0
                 ? absl::OkStatus()
                 : SystemError(path);
    case 5:
      return unlink(path.c_str()) == 0 ? absl::OkStatus() : SystemError(path);
    default:
      // What lies past the source's end cannot be shared; nor can a file share with itself in
      // place: the kernel says so, and nothing happens.
      if (path != other && ioctl(file.get(), FICLONE, source.get()) != 0) {
        return SystemError(path);
      }
      return absl::OkStatus();
  }
}

absl::Status Clone(const std::string& source, const std::string& clone) {
  const FileDescriptor from(open(source.c_str(), O_RDONLY | O_CLOEXEC));
  const FileDescriptor to(open(clone.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  const bool cloned = from.is_open() && to.is_open() && ioctl(to.get(), FICLONE, from.get()) == 0;
  return cloned ? absl::OkStatus() : SystemError(clone);
}

// Makes `clone` share all of the many extents of `source`, one after the other, and takes them from
// it again, by truncating or removing it: each extent by a chain of transactions.
absl::Status ShareManyExtents(const std::string& source, const std::string& clone,
                              std::mt19937_64& random) {
  IOMAP_RETURN_IF_ERROR(Clone(source, clone));
  const bool truncates = Below(random, 2) == 0;
  if (truncates ? truncate(clone.c_str(), 0) != 0 : unlink(clone.c_str()) != 0) {
    return SystemError(clone);
  }
  return absl::OkStatus();
}

absl::Status MakeFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  return file.is_open() ? absl::OkStatus() : SystemError(path);
}

// How many blocks of 512 bytes the file has.
absl::StatusOr<uint64_t> BlocksOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    return SystemError(path);
  }
  return static_cast<uint64_t>(status.st_blocks);
}

absl::Status WaitUntilBlocksChange(const std::string& path, uint64_t before) {
  uint64_t now = before;
  while (now == before) {
    IOMAP_ASSIGN_OR_RETURN(now, BlocksOf(path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MakeAndRemoveNames(const std::string& root_path, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (const int entries : {8, 60, 400, 3000}) {
    const std::string folder = absl::StrCat(root_path, "/names-", entries);
    IOMAP_RETURN_IF_ERROR(MakeFolder(folder));
    for (int i = 0; i < entries; ++i) {
      const std::string path = absl::StrCat(folder, "/name-of-an-empty-file-", i);
      IOMAP_RETURN_IF_ERROR(MakeFile(path));
    }
    for (int i = 0; i < entries; ++i) {
      const std::string path = absl::StrCat(folder, "/name-of-an-empty-file-", i);
      if (Below(random, 2) == 0 && unlink(path.c_str()) != 0) {
        return SystemError(path);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status FragmentFiles(const std::string& root_path, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 4; ++i) {
    const std::string path = absl::StrCat(root_path, "/fragments-", i);
    const int extents = 100 + static_cast<int>(Below(random, 800));
    IOMAP_RETURN_IF_ERROR(MakeFragmentedFile(path, kBlock, extents, extents));
    if (i == 1 && truncate(path.c_str(), static_cast<off_t>(extents) * kBlock) != 0) {
      return SystemError(path);
    }
    if (i == 2 && unlink(path.c_str()) != 0) {
      return SystemError(path);
    }
  }
  return absl::OkStatus();
}

absl::Status ShareBlocks(const std::string& root_path, uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::string folder = root_path + "/shared";
  IOMAP_RETURN_IF_ERROR(MakeFolder(folder));
  for (int i = 0; i < 250; ++i) {
    IOMAP_RETURN_IF_ERROR(ChangeSharedFile(folder, random));
  }
  return absl::OkStatus();
}

absl::Status MixLoads(const std::string& root_path, uint64_t seed) {
  IOMAP_RETURN_IF_ERROR(ShareBlocks(root_path, seed));
  IOMAP_RETURN_IF_ERROR(FragmentFiles(root_path, seed));
  IOMAP_RETURN_IF_ERROR(MakeAndRemoveNames(root_path, seed));
  return RunLoad(root_path, {.seed = seed, .operations = 300});
}

absl::Status SharingThreads::Start(const std::string& root_path, uint64_t seed) {
  constexpr int kThreads = 8;
  constexpr int kCloningThreads = 4;
  constexpr int kOperations = 400;
  constexpr int kExtents = 1500;
  IOMAP_RETURN_IF_ERROR(RunLoad(root_path, {.seed = seed, .operations = 400}));
  const std::string fragmented = root_path + "/fragmented";
  IOMAP_RETURN_IF_ERROR(MakeFragmentedFile(fragmented, kBlock, kExtents, kExtents));
  for (int i = 0; i < kThreads; ++i) {
    const std::string path = absl::StrCat(root_path, "/shared-", i);
    if (i >= kCloningThreads) {
      IOMAP_RETURN_IF_ERROR(MakeFolder(path));
    }
    const auto change = [fragmented, path, i](std::mt19937_64& random) {
      return i < kCloningThreads ? ShareManyExtents(fragmented, path, random)
                                 : ChangeSharedFile(path, random);
    };
    threads_.emplace_back([this, change, seed = seed * kThreads + static_cast<uint64_t>(i)] {
      std::mt19937_64 random(seed);
      while (change(random).ok()) {
        ++operations_;
        operations_.notify_one();
      }
      operations_ += kOperations;  // so that nobody waits for more from it
      operations_.notify_one();
    });
  }
  for (int done = 0; done < kOperations; done = operations_) {
    operations_.wait(done);
  }
  return absl::OkStatus();
}

void SharingThreads::Join() {
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

absl::Status LongOperation::Start(const std::string& root_path, uint64_t seed) {
  constexpr int kThreads = 2;
  constexpr int kExtents = 8000;
  IOMAP_RETURN_IF_ERROR(RunLoad(root_path, {.seed = seed, .operations = 600}));
  const std::string files = root_path + "/files-";
  const std::string clones = root_path + "/clones-";
  for (int i = 0; i < kThreads; ++i) {
    const std::string file = absl::StrCat(files, i);
    IOMAP_RETURN_IF_ERROR(MakeFragmentedFile(file, kBlock, kExtents, kExtents));
    if (kind_ == Kind::kTruncateShared) {
      IOMAP_RETURN_IF_ERROR(Clone(file, absl::StrCat(clones, i)));
    }
  }
  const FileDescriptor root(open(root_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.is_open() || syncfs(root.get()) != 0) {
    return SystemError(root_path);
  }
  std::map<std::string, uint64_t> blocks;  // of the files that are changed
  for (int i = 0; i < kThreads; ++i) {
    const std::string file = absl::StrCat(files, i);
    const std::string clone = absl::StrCat(clones, i);
    const std::string& changed = kind_ == Kind::kTruncateOwn ? file : clone;
    if (kind_ == Kind::kClone) {
      IOMAP_RETURN_IF_ERROR(MakeFile(clone));
    }
    IOMAP_ASSIGN_OR_RETURN(blocks[changed], BlocksOf(changed));
    // They fail, because the file system is shut down.
    threads_.emplace_back([kind = kind_, file, changed] {
      if (kind == Kind::kClone) {
        Clone(file, changed).IgnoreError();
      } else {
        std::ignore = truncate(changed.c_str(), 0);
      }
    });
  }
  for (const auto& [path, before] : blocks) {
    IOMAP_RETURN_IF_ERROR(WaitUntilBlocksChange(path, before));
  }
  return absl::OkStatus();
}

void LongOperation::Join() {
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

}  // namespace iomap::tests
