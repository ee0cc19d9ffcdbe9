#include "tests/support/tree_load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

class TreeLoad {
 public:
  TreeLoad(std::string root, const LoadOptions& options)
      : options_(options),
        random_(options.seed),
        counter_(options.first_number),
        directories_{std::move(root)} {}

  absl::Status Run() {
    for (int i = 0; i < options_.operations; ++i) {
      IOMAP_RETURN_IF_ERROR(Step());
      if (Below(options_.operations_per_sync) == 0 && !files_.empty()) {
        IOMAP_RETURN_IF_ERROR(Sync(Any(files_)));
      }
    }
    return absl::OkStatus();
  }

 private:
  uint64_t Below(uint64_t end) {
    return std::uniform_int_distribution<uint64_t>(0, end - 1)(random_);
  }
  std::string& Any(std::vector<std::string>& paths) { return paths[Below(paths.size())]; }
  std::string NewPath() {
    const std::string& directory = Any(directories_);
    return absl::StrCat(directory, "/n", counter_++, "-", std::string(Below(30), 'x'));
  }
  static absl::Status Check(bool done, const std::string& path) {
    return done ? absl::OkStatus() : SystemError(path);
  }

  absl::Status Step() {
    if (files_.size() < 8) {
      return CreateFile();
    }
    switch (Below(16)) {
      case 0:
      case 1:
      case 2:
        return CreateFile();
      case 3:
      case 4:
      case 5:
        return Write(Any(files_), Below(8 * options_.most_bytes));
      case 6:
        return Check(
            truncate(Any(files_).c_str(), static_cast<off_t>(Below(8 * options_.most_bytes))) == 0,
            "truncate");
      case 7:
      case 8:
        return options_.preallocate ? Allocate() : Write(Any(files_), 0);
      case 9:
      case 10:
        return Remove(files_, [](const char* path) { return unlink(path); });
      case 11:
        return Rename();
      case 12:
        return Link();
      case 13:
        return options_.symlinks ? MakeSymlink() : CreateFile();
      case 14:
        return options_.directories ? MakeDirectory() : Rename();
      default:
        return options_.directories && !empty_directories_.empty() ? RemoveDirectory()
                                                                   : CreateFile();
    }
  }

  absl::StatusOr<FileDescriptor> Open(const std::string& path, int flags) {
    FileDescriptor file(open(path.c_str(), flags | O_RDWR | O_CLOEXEC, 0644));
    IOMAP_RETURN_IF_ERROR(Check(file.is_open(), path));
    return file;
  }

  absl::Status CreateFile() {
    const std::string path = NewPath();
    IOMAP_RETURN_IF_ERROR(Open(path, O_CREAT | O_EXCL).status());
    files_.push_back(path);
    return Below(4) == 0 ? absl::OkStatus() : Write(path, 0);
  }

  absl::Status Write(const std::string& path, uint64_t offset) {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Open(path, 0));
    std::string bytes(1 + Below(options_.most_bytes), '\0');
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = random_() | 0x0101010101010101;
      bytes.replace(i, std::min<size_t>(8, bytes.size() - i), reinterpret_cast<const char*>(&word),
                    std::min<size_t>(8, bytes.size() - i));
    }
    return Check(pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                     static_cast<ssize_t>(bytes.size()),
                 path);
  }

  absl::Status Allocate() {
    const std::string& path = Any(files_);
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Open(path, 0));
    constexpr int kModes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
    return Check(
        fallocate(file.get(), kModes[Below(3)], static_cast<off_t>(Below(8 * options_.most_bytes)),
                  static_cast<off_t>(1 + Below(options_.most_bytes))) == 0,
        path);
  }

  template <typename Call>
  absl::Status Remove(std::vector<std::string>& paths, Call call) {
    std::string& path = Any(paths);
    IOMAP_RETURN_IF_ERROR(Check(call(path.c_str()) == 0, path));
    path = std::move(paths.back());
    paths.pop_back();
    return absl::OkStatus();
  }

  absl::Status Rename() {
    std::string& path = Any(files_);
    const std::string other = NewPath();
    IOMAP_RETURN_IF_ERROR(Check(rename(path.c_str(), other.c_str()) == 0, path));
    path = other;
    return absl::OkStatus();
  }

  absl::Status Link() {
    const std::string path = NewPath();
    IOMAP_RETURN_IF_ERROR(Check(link(Any(files_).c_str(), path.c_str()) == 0, path));
    files_.push_back(path);
    return absl::OkStatus();
  }

  absl::Status MakeSymlink() {
    const std::string path = NewPath();
    return Check(symlink(std::string(1 + Below(120), 't').c_str(), path.c_str()) == 0, path);
  }

  absl::Status MakeDirectory() {
    const std::string path = NewPath();
    IOMAP_RETURN_IF_ERROR(Check(mkdir(path.c_str(), 0755) == 0, path));
    (Below(2) == 0 ? directories_ : empty_directories_).push_back(path);
    return absl::OkStatus();
  }

  absl::Status RemoveDirectory() {
    return Remove(empty_directories_, [](const char* path) { return rmdir(path); });
  }

  absl::Status Sync(const std::string& path) {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Open(path, 0));
    return Check(fsync(file.get()) == 0, path);
  }

  const LoadOptions options_;
  std::mt19937_64 random_;
  uint64_t counter_;
  std::vector<std::string> directories_;        // files are made in these
  std::vector<std::string> empty_directories_;  // and never in these
  std::vector<std::string> files_;
};

}  // namespace

absl::Status RunLoad(const std::string& root_path, const LoadOptions& options) {
  return TreeLoad(root_path, options).Run();
}

}  // namespace iomap::tests
