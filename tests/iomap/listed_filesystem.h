#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "iomap/filesystem.h"

namespace iomap::tests {

// One inode of a ListedFilesystem.
struct ListedInode {
  struct Entry {
    std::string name;
    InodeNumber inode = 0;
    FileType type = FileType::kUnknown;
  };

  FileType type = FileType::kRegular;
  std::vector<Entry> entries = {};  // of a directory, "." and ".." among them
  std::string target = {};          // of a symbolic link
};

// A file system that is a table of inodes: names to walk, and nothing to map. Inode 1 is the root.
// Inode kDamaged is damaged, others that are not in the table are not in use. Not thread-safe.
class ListedFilesystem : public Filesystem {
 public:
  static constexpr InodeNumber kDamaged = 99;

  explicit ListedFilesystem(std::map<InodeNumber, ListedInode> inodes)
      : inodes_(std::move(inodes)) {}

  absl::StatusOr<FilesystemInfo> info() override { return FilesystemInfo{.backend = "listed"}; }
  InodeNumber root() const override { return 1; }

  absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) override {
    for (const ListedInode::Entry& entry : inodes_.at(directory).entries) {
      if (entry.name == name) {
        return entry.inode;
      }
    }
    return absl::NotFoundError(absl::StrCat("inode ", directory, ": no entry ", name));
  }

  absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) override {
    const auto inode = inodes_.find(directory);
    if (inode == inodes_.end()) {
      return Missing(directory);
    }
    const std::vector<ListedInode::Entry>& entries = inode->second.entries;
    for (uint64_t i = cookie; i < entries.size(); ++i) {
      const bool is_dot = entries[i].name == "." || entries[i].name == "..";
      if (!is_dot && !entry({entries[i].name, entries[i].inode, entries[i].type, i + 1})) {
        break;
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ReadLink(InodeNumber link) override {
    return inodes_.at(link).target;
  }

  absl::StatusOr<std::shared_ptr<File>> Open(InodeNumber inode) override {
    const auto listed = inodes_.find(inode);
    if (listed == inodes_.end()) {
      return Missing(inode);
    }
    return std::make_shared<Inode>(inode, listed->second.type);
  }

 private:
  // A file that has a type and a hole.
  class Inode : public File {
   public:
    Inode(InodeNumber inode, FileType type) : File(inode), type_(type) {}
    absl::StatusOr<Attributes> attributes() override {
      return Attributes{.inode = inode(), .type = type_};
    }
    absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
      out[0] = Mapping{.offset = range.offset, .length = range.length};
      return 1;
    }

   private:
    const FileType type_;
  };

  static absl::Status Missing(InodeNumber inode) {
    return inode == kDamaged ? absl::DataLossError(absl::StrCat("inode ", inode, ": damaged"))
                             : absl::NotFoundError(absl::StrCat("inode ", inode, ": not in use"));
  }

  const std::map<InodeNumber, ListedInode> inodes_;
};

}  // namespace iomap::tests
