#include "backends/ram/filesystem.h"

#include <sys/stat.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::ram {
namespace {

constexpr size_t kLongestName = 255;

absl::Status CheckName(absl::string_view name) {
  if (name.empty() || name.size() > kLongestName || name == "." || name == ".." ||
      name.find('/') != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not a name: \"", name, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Filesystem>> Filesystem::Make(dax::DeviceSet devices,
                                                             const Options& options) {
  if (options.data_device >= devices.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("data device ", options.data_device, " of ", devices.size()));
  }
  return std::unique_ptr<Filesystem>(new Filesystem(std::move(devices), options));
}

Filesystem::Filesystem(dax::DeviceSet devices, const Options& options)
    : devices_(std::move(devices)), options_(options) {
  for (const std::unique_ptr<dax::Device>& device : devices_) {
    blocks_.push_back(std::make_unique<Blocks>(device->size()));
  }
  auto root = std::make_shared<Inode>(kRoot, S_IFDIR | 0755, blocks_[options.data_device].get(),
                                      options.data_device);
  root->parent = kRoot;
  root->link_count = 2;
  inodes_.emplace(kRoot, std::move(root));
}

Filesystem::~Filesystem() {
  // Unmount. Files that are still open are their holders' affair.
  Sync().IgnoreError();
}

absl::StatusOr<FilesystemInfo> Filesystem::info() {
  FilesystemInfo info{
      .backend = "ram",
      .capabilities = Capability::kSymbolicLinks | Capability::kInlineData | Capability::kReport |
                      Capability::kNames | Capability::kWrite | Capability::kSetSize |
                      Capability::kAllocate | Capability::kPunchHole | Capability::kZeroRange |
                      Capability::kShiftRange | Capability::kShare | Capability::kDax,
      .block_size = kBlockBytes,
      .size_bytes = devices_[options_.data_device]->size(),
      .free_bytes = blocks_[options_.data_device]->free_bytes()};
  const MutexLock lock(names_mutex_);
  info.inode_count = inodes_.size();
  return info;
}

// ---- names ----

absl::StatusOr<Inode*> Filesystem::Find(InodeNumber number) {
  const auto found = inodes_.find(number);
  if (found == inodes_.end()) {
    return absl::NotFoundError(absl::StrCat("inode ", number, ": there is none"));
  }
  return found->second.get();
}

absl::StatusOr<Inode*> Filesystem::FindDirectory(InodeNumber number) {
  IOMAP_ASSIGN_OR_RETURN(Inode* const inode, Find(number));
  if (!S_ISDIR(inode->mode)) {
    return absl::FailedPreconditionError(absl::StrCat("inode ", number, ": not a directory"));
  }
  return inode;
}

absl::StatusOr<InodeNumber> Filesystem::LookUp(InodeNumber directory, absl::string_view name) {
  const MutexLock lock(names_mutex_);
  IOMAP_ASSIGN_OR_RETURN(const Inode* const inode, FindDirectory(directory));
  if (name == ".") {
    return directory;
  }
  if (name == "..") {
    return inode->parent;
  }
  const auto found = inode->names.find(std::string(name));
  if (found == inode->names.end()) {
    return absl::NotFoundError(absl::StrCat("\"", name, "\" in inode ", directory));
  }
  return found->second;
}

absl::Status Filesystem::ReadDirectory(InodeNumber directory, uint64_t cookie,
                                       absl::FunctionRef<bool(const DirectoryEntry&)> entry) {
  struct Listed {
    std::string name;
    InodeNumber inode;
    FileType type;
  };
  std::vector<Listed> all;  // copied, since `entry` is called without the lock
  {
    const MutexLock lock(names_mutex_);
    IOMAP_ASSIGN_OR_RETURN(const Inode* const inode, FindDirectory(directory));
    for (const auto& [name, number] : inode->names) {
      all.push_back({name, number, FileTypeOfMode(inodes_.at(number)->mode)});
    }
  }
  for (uint64_t index = cookie; index < all.size(); ++index) {
    const Listed& one = all[index];
    if (!entry(DirectoryEntry{
            .name = one.name, .inode = one.inode, .type = one.type, .next_cookie = index + 1})) {
      break;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Filesystem::ReadLink(InodeNumber link) {
  const MutexLock lock(names_mutex_);
  IOMAP_ASSIGN_OR_RETURN(const Inode* const inode, Find(link));
  if (!S_ISLNK(inode->mode)) {
    return absl::FailedPreconditionError(absl::StrCat("inode ", link, ": not a symbolic link"));
  }
  return inode->target;
}

absl::StatusOr<Inode*> Filesystem::AddInode(InodeNumber directory, absl::string_view name,
                                            uint32_t mode) {
  IOMAP_RETURN_IF_ERROR(CheckName(name));
  IOMAP_ASSIGN_OR_RETURN(Inode* const parent, FindDirectory(directory));
  if (parent->names.contains(std::string(name))) {
    return absl::AlreadyExistsError(absl::StrCat("\"", name, "\" in inode ", directory));
  }
  const InodeNumber number = next_number_++;
  const auto inode = std::make_shared<Inode>(number, mode, blocks_[options_.data_device].get(),
                                             options_.data_device);
  if (S_ISDIR(mode)) {
    inode->parent = directory;
    inode->link_count = 2;
  }
  parent->names.emplace(name, number);
  return inodes_.emplace(number, inode).first->second.get();
}

absl::StatusOr<InodeNumber> Filesystem::Create(InodeNumber directory, absl::string_view name,
                                               uint32_t mode) {
  if (!S_ISREG(mode) && !S_ISDIR(mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\": mode ", mode, " is neither a file's nor a directory's"));
  }
  const MutexLock lock(names_mutex_);
  IOMAP_ASSIGN_OR_RETURN(const Inode* const inode, AddInode(directory, name, mode));
  return inode->number;
}

absl::StatusOr<InodeNumber> Filesystem::MakeSymbolicLink(InodeNumber directory,
                                                         absl::string_view name,
                                                         absl::string_view target) {
  const MutexLock lock(names_mutex_);
  IOMAP_ASSIGN_OR_RETURN(Inode* const inode, AddInode(directory, name, S_IFLNK | 0777));
  inode->target = std::string(target);
  inode->size = target.size();
  return inode->number;
}

absl::StatusOr<InodeNumber> Filesystem::CreateInline(InodeNumber directory, absl::string_view name,
                                                     absl::Span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() > kBlockBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\": ", bytes.size(), " bytes cannot lie in an inode"));
  }
  const MutexLock lock(names_mutex_);
  IOMAP_ASSIGN_OR_RETURN(Inode* const inode, AddInode(directory, name, S_IFREG | 0644));
  inode->inline_data.assign(bytes.begin(), bytes.end());
  inode->size = bytes.size();
  return inode->number;
}

absl::Status Filesystem::Unlink(InodeNumber directory, absl::string_view name) {
  const MutexLock lock(names_mutex_);
  IOMAP_ASSIGN_OR_RETURN(Inode* const parent, FindDirectory(directory));
  const auto found = parent->names.find(std::string(name));
  if (found == parent->names.end()) {
    return absl::NotFoundError(absl::StrCat("\"", name, "\" in inode ", directory));
  }
  if (!inodes_.at(found->second)->names.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("\"", name, "\" is not empty"));
  }
  // Who has it open keeps the inode, and its blocks.
  inodes_.erase(found->second);
  parent->names.erase(found);
  return absl::OkStatus();
}

// ---- files ----

absl::StatusOr<std::shared_ptr<dax::File>> Filesystem::OpenFile(InodeNumber number) {
  const MutexLock lock(names_mutex_);
  std::weak_ptr<File>& open = open_files_[number];
  if (std::shared_ptr<File> file = open.lock(); file != nullptr) {
    return file;
  }
  const auto found = inodes_.find(number);
  if (found == inodes_.end()) {
    open_files_.erase(number);
    return absl::NotFoundError(absl::StrCat("inode ", number, ": there is none"));
  }
  const dax::FileOptions options{options_.make_address_space, &freeze_gate()};
  std::shared_ptr<File> file = dax::MakeFile<File>(found->second, devices_, options);
  open = file;
  return file;
}

void Filesystem::ForEachOpenFile(absl::FunctionRef<void(dax::File&)> file) {
  std::vector<std::shared_ptr<File>> files;
  {
    const MutexLock lock(names_mutex_);
    for (const auto& [number, open] : open_files_) {
      if (std::shared_ptr<File> held = open.lock(); held != nullptr) {
        files.push_back(std::move(held));
      }
    }
  }
  for (const std::shared_ptr<File>& held : files) {
    file(*held);
  }
}

}  // namespace iomap::ram
