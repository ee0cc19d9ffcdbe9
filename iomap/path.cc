#include "iomap/path.h"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "iomap/status_macros.h"

namespace iomap {
namespace {

constexpr int kMostLinks = 40;          // MAXSYMLINKS
constexpr size_t kMostNameBytes = 255;  // NAME_MAX

// The type of an inode that the root or a directory entry names: that it is not in use is damage.
absl::StatusOr<FileType> TypeOf(Filesystem& filesystem, InodeNumber inode) {
  const absl::StatusOr<std::shared_ptr<File>> file = filesystem.Open(inode);
  if (absl::IsNotFound(file.status())) {
    return absl::DataLossError(absl::StrCat("a directory entry names an inode that is not there: ",
                                            file.status().message()));
  }
  IOMAP_RETURN_IF_ERROR(file.status());
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, (*file)->attributes());
  return attributes.type;
}

std::deque<std::string> NamesOf(absl::string_view path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

}  // namespace

absl::StatusOr<InodeNumber> ResolvePath(Filesystem& filesystem, absl::string_view path,
                                        LastLink last) {
  std::deque<std::string> names = NamesOf(path);
  bool must_be_directory = !path.empty() && path.back() == '/';
  InodeNumber current = filesystem.root();
  int links = 0;
  while (!names.empty()) {
    const std::string name = std::move(names.front());
    names.pop_front();
    if (name.size() > kMostNameBytes) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": a name of ", name.size(), " bytes, at most ", kMostNameBytes));
    }
    IOMAP_ASSIGN_OR_RETURN(const FileType type, TypeOf(filesystem, current));
    if (type != FileType::kDirectory) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": what stands before \"", name, "\" is not a directory"));
    }
    absl::StatusOr<InodeNumber> child = filesystem.LookUp(current, name);
    if (absl::IsNotFound(child.status())) {
      return absl::NotFoundError(absl::StrCat(path, ": no such file or directory (", name, ")"));
    }
    IOMAP_RETURN_IF_ERROR(child.status());
    IOMAP_ASSIGN_OR_RETURN(const FileType child_type, TypeOf(filesystem, *child));
    const bool is_kept = last == LastLink::kKeep && names.empty() && !must_be_directory;
    if (child_type != FileType::kSymbolicLink || is_kept) {
      current = *child;
      continue;
    }
    if (++links > kMostLinks) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": more than ", kMostLinks, " symbolic links"));
    }
    IOMAP_ASSIGN_OR_RETURN(const std::string target, filesystem.ReadLink(*child));
    if (!target.empty() && target.front() == '/') {
      current = filesystem.root();
    }
    if (names.empty() && !target.empty() && target.back() == '/') {
      must_be_directory = true;
    }
    const std::deque<std::string> target_names = NamesOf(target);
    names.insert(names.begin(), target_names.begin(), target_names.end());
  }
  IOMAP_ASSIGN_OR_RETURN(const FileType type, TypeOf(filesystem, current));
  if (must_be_directory && type != FileType::kDirectory) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a directory"));
  }
  return current;
}

namespace {

struct Child {
  std::string
      name;  // a directory's ends in a slash: so the order of names is the order of whole paths
  InodeNumber inode;
  FileType type;
};

struct OpenDirectory {
  InodeNumber inode;
  size_t path_bytes;            // how much of the path names this directory
  std::vector<Child> children;  // in reverse order of name: the next one is at the back
};

// The children in descending order. One whose type the medium does not tell is opened to learn it;
// when that fails it keeps kUnknown.
absl::StatusOr<std::vector<Child>> ChildrenOf(Filesystem& filesystem, InodeNumber directory) {
  std::vector<Child> children;
  IOMAP_RETURN_IF_ERROR(
      filesystem.ReadDirectory(directory, /*cookie=*/0, [&](const DirectoryEntry& entry) {
        children.push_back({std::string(entry.name), entry.inode, entry.type});
        return true;
      }));
  for (Child& child : children) {
    if (child.type == FileType::kUnknown) {
      child.type = TypeOf(filesystem, child.inode).value_or(FileType::kUnknown);
    }
    if (child.type == FileType::kDirectory) {
      child.name += '/';
    }
  }
  std::sort(children.begin(), children.end(),
            [](const Child& a, const Child& b) { return a.name > b.name; });
  return children;
}

}  // namespace

absl::Status WalkTree(Filesystem& filesystem, absl::FunctionRef<bool(const TreeEntry&)> entry,
                      absl::FunctionRef<bool(absl::string_view path, const absl::Status&)> failed) {
  std::string path;
  std::vector<OpenDirectory> stack;
  absl::flat_hash_set<InodeNumber> seen_directories;
  const auto enter = [&](InodeNumber inode) {
    absl::StatusOr<std::vector<Child>> children =
        seen_directories.insert(inode).second
            ? ChildrenOf(filesystem, inode)
            : absl::DataLossError(
                  absl::StrCat("inode ", inode, ": a second name for this directory"));
    if (!children.ok()) {
      return failed(path.empty() ? "/" : path, children.status());
    }
    stack.push_back({inode, path.size(), *std::move(children)});
    return true;
  };
  if (!enter(filesystem.root())) {
    return absl::OkStatus();
  }
  while (!stack.empty()) {
    OpenDirectory& directory = stack.back();
    path.resize(directory.path_bytes);
    if (directory.children.empty()) {
      stack.pop_back();
      continue;
    }
    Child child = std::move(directory.children.back());
    directory.children.pop_back();
    absl::StrAppend(&path, "/", child.name);
    if (child.type == FileType::kDirectory) {
      path.pop_back();
    }
    if (!entry(TreeEntry{path, child.inode, child.type})) {
      return absl::OkStatus();
    }
    if (child.type == FileType::kDirectory && !enter(child.inode)) {
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

}  // namespace iomap
