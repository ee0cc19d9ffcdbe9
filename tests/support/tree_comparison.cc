#include "tests/support/tree_comparison.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"
#include "tests/support/file_comparison.h"
#include "tests/support/kernel_file.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr char kRecoveryDirectory[] = "lost+found";  // of mkfs, not of the source tree

std::string Quoted(absl::string_view name) { return absl::CHexEscape(name); }

bool HasMappings(FileType type) {
  return type == FileType::kRegular || type == FileType::kDirectory ||
         type == FileType::kSymbolicLink;
}

absl::StatusOr<std::string> TrueTarget(const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  if (length < 0) {
    return SystemError(path);
  }
  target.resize(length);
  return target;
}

}  // namespace

TreeComparison::TreeComparison(dax::Filesystem& filesystem, std::string truth_path, Truth truth,
                               uint64_t seed)
    : filesystem_(filesystem), truth_path_(std::move(truth_path)), truth_(truth), random_(seed) {}

absl::Status TreeComparison::Run() {
  IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem_.info());
  block_size_ = info.block_size;
  struct Directory {
    std::string path;  // below truth_path_: "" or "/a/b"
    InodeNumber inode;
    InodeNumber parent;
  };
  std::deque<Directory> directories = {{"", filesystem_.root(), filesystem_.root()}};
  inodes_.emplace(filesystem_.root(), "/");
  Note("/", CompareInode("", filesystem_.root()));
  while (!directories.empty()) {
    const Directory directory = std::move(directories.front());
    directories.pop_front();
    const absl::StatusOr<std::vector<std::string>> names =
        CompareDirectory(directory.path, directory.inode, directory.parent);
    Note(directory.path, names.status());
    if (!names.ok()) {
      continue;
    }
    for (const std::string& name : *names) {
      const std::string path = absl::StrCat(directory.path, "/", name);
      const absl::StatusOr<InodeNumber> inode = filesystem_.LookUp(directory.inode, name);
      if (!inode.ok() || !inodes_.emplace(*inode, path).second) {
        continue;  // Noted by CompareDirectory, or another link to a file that has been compared.
      }
      Note(path, CompareInode(path, *inode));
      IOMAP_ASSIGN_OR_RETURN(const Attributes expected, StatAttributes(truth_path_ + path));
      if (expected.type == FileType::kDirectory) {
        directories.push_back({path, *inode, directory.inode});
      }
    }
  }
  return absl::OkStatus();
}

void TreeComparison::Note(const std::string& path, const absl::Status& status) {
  if (!status.ok()) {
    differences_.push_back(absl::StrCat(Quoted(path), ": ", status.message()));
  }
}

absl::StatusOr<std::map<std::string, TreeComparison::TrueEntry>> TreeComparison::TrueEntriesOf(
    const std::string& path) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(path.c_str()), &closedir);
  if (stream == nullptr) {
    return SystemError(path);
  }
  std::map<std::string, TrueEntry> entries;
  while (const dirent* entry = readdir(stream.get())) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      entries.emplace(std::string(name),
                      TrueEntry{entry->d_ino, FileTypeOfMode(DTTOIF(entry->d_type))});
    }
  }
  return entries;
}

absl::StatusOr<std::vector<std::string>> TreeComparison::CompareDirectory(const std::string& path,
                                                                          InodeNumber inode,
                                                                          InodeNumber parent) {
  IOMAP_ASSIGN_OR_RETURN(auto expected, TrueEntriesOf(truth_path_ + path));
  std::vector<std::string> names;
  std::vector<uint64_t> cookies;
  absl::Status difference;
  IOMAP_RETURN_IF_ERROR(
      filesystem_.ReadDirectory(inode, /*cookie=*/0, [&](const DirectoryEntry& entry) {
        if (truth_ == Truth::kSourceTree && entry.name == kRecoveryDirectory) {
          return true;
        }
        auto node = expected.extract(std::string(entry.name));
        if (node.empty()) {
          difference = absl::InternalError(
              absl::StrCat("\"", Quoted(entry.name), "\" is not there, or is listed twice"));
        } else {
          difference = CompareEntry(inode, entry, node.mapped());
          names.emplace_back(entry.name);
          cookies.push_back(entry.next_cookie);
        }
        return difference.ok();
      }));
  IOMAP_RETURN_IF_ERROR(difference);
  if (!expected.empty()) {
    return absl::InternalError(absl::StrCat(expected.size(), " names are not listed, \"",
                                            Quoted(expected.begin()->first), "\" among them"));
  }
  for (const auto& [name, target] : {std::pair(".", inode), std::pair("..", parent)}) {
    IOMAP_ASSIGN_OR_RETURN(const InodeNumber found, filesystem_.LookUp(inode, name));
    if (found != target) {
      return absl::InternalError(absl::StrCat("\"", name, "\" is ", found, ", not ", target));
    }
  }
  for (const std::string& name : {std::string("no such name"), std::string(255, '~')}) {
    const absl::Status missing = filesystem_.LookUp(inode, name).status();
    if (!absl::IsNotFound(missing)) {
      return absl::InternalError(
          absl::StrCat("look-up of a name that is not there: ", missing.ToString()));
    }
  }
  IOMAP_RETURN_IF_ERROR(CompareCookies(inode, names, cookies));
  return names;
}

absl::Status TreeComparison::CompareEntry(InodeNumber directory, const DirectoryEntry& entry,
                                          const TrueEntry& expected) {
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber found, filesystem_.LookUp(directory, entry.name));
  if (found != entry.inode) {
    return absl::InternalError(absl::StrCat("\"", Quoted(entry.name), "\" is listed as inode ",
                                            entry.inode, ", but looked up as ", found));
  }
  if (truth_ != Truth::kSourceTree && entry.inode != expected.inode) {
    return absl::InternalError(absl::StrCat("\"", Quoted(entry.name), "\": the kernel says inode ",
                                            expected.inode, ", iomap says ", entry.inode));
  }
  const bool type_unknown = truth_ == Truth::kSourceTree && entry.type == FileType::kUnknown;
  if (entry.type != expected.type && !type_unknown) {
    return absl::InternalError(absl::StrCat("\"", Quoted(entry.name), "\": readdir says ",
                                            FileTypeName(expected.type), ", iomap says ",
                                            FileTypeName(entry.type)));
  }
  return absl::OkStatus();
}

// Going on after any entry gives the rest of the list.
absl::Status TreeComparison::CompareCookies(InodeNumber directory,
                                            const std::vector<std::string>& names,
                                            const std::vector<uint64_t>& cookies) {
  constexpr int kTries = 6;
  for (int i = 0; i < kTries && !names.empty(); ++i) {
    const size_t start = random_() % names.size();
    size_t next = start + 1;
    bool same = true;
    IOMAP_RETURN_IF_ERROR(
        filesystem_.ReadDirectory(directory, cookies[start], [&](const DirectoryEntry& entry) {
          if (truth_ == Truth::kSourceTree && entry.name == kRecoveryDirectory) {
            return true;
          }
          same = next < names.size() && names[next] == entry.name;
          ++next;
          return same && next < start + 100;
        }));
    if (!same || (next < names.size() && next < start + 100)) {
      return absl::InternalError(
          absl::StrCat("reading on after entry ", start, " does not give entry ", next));
    }
  }
  return absl::OkStatus();
}

absl::Status TreeComparison::CompareInode(const std::string& path, InodeNumber inode) {
  const std::string true_path = truth_path_ + path;
  IOMAP_ASSIGN_OR_RETURN(const Attributes expected, StatAttributes(true_path));
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file, filesystem_.OpenFile(inode));
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
  const bool mounted = truth_ != Truth::kSourceTree;
  const AttributeSet set = truth_ == Truth::kMountedImage    ? AttributeSet::kAll
                           : truth_ == Truth::kReplayedImage ? AttributeSet::kAllButTimes
                                                             : AttributeSet::kCopied;
  IOMAP_RETURN_IF_ERROR(
      CompareAttributes(mounted ? "lstat" : "the source", expected, attributes, set));
  if (expected.type == FileType::kSymbolicLink) {
    IOMAP_ASSIGN_OR_RETURN(const std::string target, filesystem_.ReadLink(inode));
    IOMAP_ASSIGN_OR_RETURN(const std::string true_target, TrueTarget(true_path));
    if (target != true_target) {
      return absl::InternalError(
          absl::StrCat("the target is \"", true_target, "\", iomap says \"", target, "\""));
    }
    return absl::OkStatus();
  }
  if (expected.type != FileType::kRegular && expected.type != FileType::kDirectory) {
    return absl::OkStatus();
  }
  IOMAP_ASSIGN_OR_RETURN(const KernelFile kernel_file, KernelFile::Open(true_path));
  if (mounted) {
    IOMAP_RETURN_IF_ERROR(CompareMappings(*file, attributes, block_size_, kernel_file, random_));
  }
  if (expected.type == FileType::kRegular) {
    return CompareContents(*file, expected.size, kernel_file);
  }
  return absl::OkStatus();
}

std::vector<std::string> CompareWithReferee(dax::Filesystem& filesystem,
                                            const std::map<InodeNumber, std::string>& inodes,
                                            const RefereeReport& report, const std::string& referee,
                                            uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> differences;
  const auto compare = [&](InodeNumber inode) -> absl::Status {
    const auto expected = report.files.find(inode);
    if (expected == report.files.end()) {
      return absl::InternalError(absl::StrCat(referee, " says nothing"));
    }
    const RefereeFile& theirs = expected->second;
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file, filesystem.OpenFile(inode));
    IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
    IOMAP_RETURN_IF_ERROR(
        CompareAttributes(referee, theirs.attributes, attributes, AttributeSet::kAllButAccessTime));
    if (!HasMappings(attributes.type)) {
      return absl::OkStatus();
    }
    IOMAP_ASSIGN_OR_RETURN(const ExtentList ours, ConsistentExtentsOf(*file, random));
    return SameExtents(referee, theirs.extents, ours, Shared::kCompare);
  };
  for (const auto& [inode, path] : inodes) {
    if (const absl::Status status = compare(inode); !status.ok()) {
      differences.push_back(absl::StrCat(Quoted(path), " (inode ", inode, "): ", status.message()));
    }
  }
  return differences;
}

}  // namespace iomap::tests
