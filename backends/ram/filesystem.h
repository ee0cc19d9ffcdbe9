#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "backends/ram/blocks.h"
#include "backends/ram/file.h"
#include "backends/ram/inode.h"
#include "dax/filesystem.h"

namespace iomap::ram {

// How a file system is made.
struct Options {
  // Which device the data of new files lies on: two devices are what XFS has with a realtime one.
  uint8_t data_device = 0;
  dax::AddressSpaceFactory make_address_space = &dax::MakeAddressSpace;
};

// The reference backend: a whole file system in a few pages, to be read first by who writes one,
// and the oracle that others are compared with. Data lies on devices; metadata is kept in memory
// and counts as durable when the operation that changed it returns. It has every capability.
//
// Thread-safety and errors: iomap::Filesystem.
class Filesystem : public dax::Filesystem {
 public:
  // Takes over the devices, whose contents are of no interest. InvalidArgument without any, or when
  // there is none of the number that the options name.
  static absl::StatusOr<std::unique_ptr<Filesystem>> Make(dax::DeviceSet devices,
                                                          const Options& options = {});
  ~Filesystem() override;

  absl::StatusOr<FilesystemInfo> info() override;
  InodeNumber root() const override { return kRoot; }
  absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) override;
  absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) override;
  absl::StatusOr<std::string> ReadLink(InodeNumber link) override;
  absl::StatusOr<std::shared_ptr<dax::File>> OpenFile(InodeNumber inode) override;
  absl::StatusOr<InodeNumber> Create(InodeNumber directory, absl::string_view name,
                                     uint32_t mode) override;
  absl::StatusOr<InodeNumber> MakeSymbolicLink(InodeNumber directory, absl::string_view name,
                                               absl::string_view target) override;
  absl::Status Unlink(InodeNumber directory, absl::string_view name) override;

  // A file whose bytes lie in its inode until they are written.
  absl::StatusOr<InodeNumber> CreateInline(InodeNumber directory, absl::string_view name,
                                           absl::Span<const std::byte> bytes);

  const dax::DeviceSet& devices() const { return devices_; }

 protected:
  void ForEachOpenFile(absl::FunctionRef<void(dax::File&)> file) override;

 private:
  static constexpr InodeNumber kRoot = 1;

  Filesystem(dax::DeviceSet devices, const Options& options);

  absl::StatusOr<Inode*> Find(InodeNumber number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(names_mutex_);
  absl::StatusOr<Inode*> FindDirectory(InodeNumber number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(names_mutex_);
  absl::StatusOr<Inode*> AddInode(InodeNumber directory, absl::string_view name, uint32_t mode)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(names_mutex_);

  dax::DeviceSet devices_;
  const Options options_;
  std::vector<std::unique_ptr<Blocks>> blocks_;  // of each device

  Mutex names_mutex_{LockRank::kTransaction};
  std::map<InodeNumber, std::shared_ptr<Inode>> inodes_ ABSL_GUARDED_BY(names_mutex_);
  // Those that somebody holds, and some that nobody does any more.
  std::map<InodeNumber, std::weak_ptr<File>> open_files_ ABSL_GUARDED_BY(names_mutex_);
  InodeNumber next_number_ ABSL_GUARDED_BY(names_mutex_) = kRoot + 1;
};

}  // namespace iomap::ram
