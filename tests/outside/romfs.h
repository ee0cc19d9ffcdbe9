#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backends/open_files.h"
#include "dax/filesystem.h"

namespace romfs {

// What genromfs writes, to read. A file is a header at a multiple of 16 bytes, its name, and its
// bytes in one piece; the headers of a directory are a chain. The format:
// Documentation/filesystems/romfs.rst of Linux. The number of an inode is the address of its
// header.
//
// Thread-safety and errors: iomap::Filesystem.
class Filesystem : public iomap::dax::Filesystem {
 public:
  // DataLoss when the main device holds no romfs image.
  static absl::StatusOr<std::unique_ptr<Filesystem>> Open(iomap::dax::DeviceSet devices);

  absl::StatusOr<iomap::FilesystemInfo> info() override;
  iomap::InodeNumber root() const override { return root_; }
  absl::StatusOr<iomap::InodeNumber> LookUp(iomap::InodeNumber directory,
                                            absl::string_view name) override;
  absl::Status ReadDirectory(iomap::InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const iomap::DirectoryEntry&)> entry) override;
  absl::StatusOr<std::string> ReadLink(iomap::InodeNumber link) override;
  absl::StatusOr<std::shared_ptr<iomap::dax::File>> OpenFile(iomap::InodeNumber inode) override;

 private:
  struct Header;
  class File;

  explicit Filesystem(iomap::dax::DeviceSet devices) : devices_(std::move(devices)) {}
  absl::Status ReadSuperblock();
  absl::StatusOr<Header> HeaderAt(uint64_t address) const;
  // The header of an inode, which is no hard link.
  absl::StatusOr<Header> InodeAt(uint64_t address) const;
  // Calls `entry` with each header of a directory from the one at `first` on, and with the inode
  // that it names, until it returns false.
  absl::Status Walk(uint64_t first,
                    absl::FunctionRef<bool(const Header& entry, const Header& inode)> entry) const;

  const iomap::dax::DeviceSet devices_;
  uint64_t size_ = 0;  // bytes of the image
  std::string label_;
  iomap::InodeNumber root_ = 0;
  iomap::backends::OpenFiles<iomap::dax::File> open_files_;
};

}  // namespace romfs
