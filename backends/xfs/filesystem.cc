#include "backends/xfs/filesystem.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/open_files.h"
#include "backends/xfs/describe.h"
#include "backends/xfs/file.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/inode_index.h"
#include "backends/xfs/journal.h"
#include "backends/xfs/shared_ranges.h"
#include "backends/xfs/volume.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

class Filesystem final : public dax::Filesystem {
 public:
  Filesystem(Volume volume, Journal journal)
      : volume_(std::move(volume)),
        journal_(journal.state),
        unfinished_mappings_(std::move(journal.unfinished.mappings)),
        inode_index_(volume_),
        shared_ranges_(volume_, std::move(journal.unfinished.shares)) {}

  absl::StatusOr<FilesystemInfo> info() override { return DescribeFilesystem(volume_, journal_); }
  InodeNumber root() const override { return volume_.superblock.root_inode; }

  absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) override {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, Find(directory));
    IOMAP_ASSIGN_OR_RETURN(const Directory* const entries, file->directory());
    return entries->LookUp(name);
  }

  absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) override {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, Find(directory));
    IOMAP_ASSIGN_OR_RETURN(const Directory* const entries, file->directory());
    return entries->Read(cookie, entry);
  }

  absl::StatusOr<std::string> ReadLink(InodeNumber link) override {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, Find(link));
    return file->ReadLink();
  }

  absl::StatusOr<std::shared_ptr<dax::File>> OpenFile(InodeNumber inode) override {
    return Find(inode);
  }

 private:
  absl::StatusOr<std::shared_ptr<File>> Find(InodeNumber inode) {
    return open_files_.FindOrOpen(inode, [&]() -> absl::StatusOr<std::shared_ptr<File>> {
      IOMAP_RETURN_IF_ERROR(inode_index_.CheckAllocated(inode));
      IOMAP_RETURN_IF_ERROR(unfinished_mappings_.CheckFinished(inode));
      IOMAP_ASSIGN_OR_RETURN(Inode read, ReadInode(volume_, inode));
      IOMAP_RETURN_IF_ERROR(unfinished_mappings_.FinishFile(volume_, read));
      return File::Open(volume_, shared_ranges_, std::move(read));
    });
  }

  const Volume volume_;
  const JournalState journal_;
  const MappingChanges unfinished_mappings_;
  InodeIndex inode_index_;
  SharedRanges shared_ranges_;
  backends::OpenFiles<File> open_files_;
};

absl::Status CheckRealtimeDevice(const Volume& volume) {
  const Superblock& superblock = volume.superblock;
  if (!volume.has_realtime_device()) {
    return absl::OkStatus();  // realtime files are refused one by one
  }
  if (superblock.realtime_blocks > volume.devices[1]->size() >> superblock.block_log) {
    return absl::DataLossError(absl::StrCat(
        "xfs realtime device: ", superblock.realtime_blocks, " blocks of ", superblock.block_size,
        " bytes, but it ends at ", volume.devices[1]->size(), ": truncated, or another one"));
  }
  return absl::OkStatus();
}

}  // namespace

bool Recognises(const dax::Device& device) {
  const auto magic = device.View(ByteRange{0, sizeof(uint32_t)});
  return magic.ok() && backends::Load<Be32>(magic->data()) == kSuperblockMagic;
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(
    dax::DeviceSet devices, const backends::OpenOptions& options) {
  IOMAP_ASSIGN_OR_RETURN(Superblock superblock, ParseSuperblock(*devices.front()));
  Volume volume{std::move(devices), std::move(superblock)};
  IOMAP_RETURN_IF_ERROR(CheckRealtimeDevice(volume));
  IOMAP_ASSIGN_OR_RETURN(Journal journal, SettleJournal(volume, options));
  return std::make_unique<Filesystem>(std::move(volume), std::move(journal));
}

}  // namespace iomap::xfs
