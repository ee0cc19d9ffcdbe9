#include "backends/ext4/filesystem.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/directory.h"
#include "backends/ext4/features.h"
#include "backends/ext4/file.h"
#include "backends/ext4/format.h"
#include "backends/ext4/group.h"
#include "backends/ext4/journal_recovery.h"
#include "backends/ext4/volume.h"
#include "backends/open_files.h"
#include "backends/uuid.h"
#include "dax/io.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

class Filesystem : public dax::Filesystem {
 public:
  Filesystem(std::unique_ptr<Volume> volume, JournalState journal)
      : volume_(std::move(volume)), journal_(journal) {}

  absl::StatusOr<FilesystemInfo> info() override;
  InodeNumber root() const override { return kRootInode; }
  absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) override;
  absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) override;
  absl::StatusOr<std::string> ReadLink(InodeNumber link) override;
  absl::StatusOr<std::shared_ptr<dax::File>> OpenFile(InodeNumber inode) override;

 private:
  absl::StatusOr<std::shared_ptr<File>> OpenExt4File(InodeNumber inode);
  absl::StatusOr<Directory> OpenDirectory(InodeNumber inode);

  const std::unique_ptr<Volume> volume_;
  const JournalState journal_;
  backends::OpenFiles<File> open_files_;
};

absl::StatusOr<FilesystemInfo> Filesystem::info() {
  const Superblock& superblock = volume_->superblock();
  FilesystemInfo info{.backend = "ext4",
                      .capabilities = Capability::kSymbolicLinks | Capability::kInlineData,
                      .block_size = superblock.block_size,
                      .size_bytes = superblock.size_bytes(),
                      .free_bytes = superblock.free_block_count << superblock.block_shift,
                      .inode_count = superblock.inode_count,
                      .free_inode_count = superblock.free_inode_count,
                      .uuid = backends::UuidText(superblock.uuid),
                      .label = superblock.label,
                      .features = FeatureNames(superblock.features),
                      .journal = journal_};
  if (journal_ == JournalState::kReplayed) {
    IOMAP_ASSIGN_OR_RETURN(const FreeCounts free, CountFree(*volume_));
    info.free_bytes = free.blocks << superblock.block_shift;
    info.free_inode_count = free.inodes;
  }
  const auto add = [&](absl::string_view name, uint64_t value) {
    info.geometry.emplace_back(name, value);
  };
  add("first_data_block", superblock.first_data_block);
  add("blocks_per_group", superblock.blocks_per_group);
  add("blocks_per_cluster", superblock.blocks_per_cluster);
  add("groups", superblock.group_count);
  add("groups_per_flex_group", uint64_t{1} << (superblock.log_groups_per_flex & 31));
  add("inodes_per_group", superblock.inodes_per_group);
  add("inode_size", superblock.inode_size);
  add("first_inode", superblock.first_inode);
  add("descriptor_size", superblock.descriptor_size);
  add("blocks_on_the_device", volume_->readable_blocks());
  info.geometry.emplace_back("state", (superblock.state & kStateError) != 0   ? "errors detected"
                                      : (superblock.state & kStateValid) != 0 ? "clean"
                                                                              : "not clean");
  return info;
}

absl::StatusOr<std::shared_ptr<File>> Filesystem::OpenExt4File(InodeNumber inode) {
  return open_files_.FindOrOpen(inode, [&] { return File::Open(*volume_, inode); });
}

absl::StatusOr<std::shared_ptr<dax::File>> Filesystem::OpenFile(InodeNumber inode) {
  return OpenExt4File(inode);
}

absl::StatusOr<Directory> Filesystem::OpenDirectory(InodeNumber inode) {
  IOMAP_ASSIGN_OR_RETURN(std::shared_ptr<File> file, OpenExt4File(inode));
  return Directory::Open(*volume_, std::move(file));
}

absl::StatusOr<InodeNumber> Filesystem::LookUp(InodeNumber directory, absl::string_view name) {
  IOMAP_ASSIGN_OR_RETURN(const Directory opened, OpenDirectory(directory));
  return opened.LookUp(name);
}

absl::Status Filesystem::ReadDirectory(InodeNumber directory, uint64_t cookie,
                                       absl::FunctionRef<bool(const DirectoryEntry&)> entry) {
  IOMAP_ASSIGN_OR_RETURN(const Directory opened, OpenDirectory(directory));
  return opened.Read(cookie, entry);
}

absl::StatusOr<std::string> Filesystem::ReadLink(InodeNumber link) {
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, OpenExt4File(link));
  const Attributes& attributes = file->parsed().attributes;
  if (attributes.type != FileType::kSymbolicLink) {
    return absl::FailedPreconditionError(
        absl::StrCat("ext4 inode ", link, ": not a symbolic link"));
  }
  IOMAP_RETURN_IF_ERROR(file->CheckNotEncrypted());
  if (attributes.size == 0 || attributes.size > volume_->superblock().block_size) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", link, ": a link target of ",
                                            attributes.size, " bytes, 1 to a block are possible"));
  }
  std::string target(attributes.size, '\0');
  IOMAP_RETURN_IF_ERROR(
      dax::Read(*file, 0,
                absl::MakeSpan(reinterpret_cast<std::byte*>(target.data()), target.size()))
          .status());
  if (const size_t place = target.find('\0'); place != std::string::npos) {
    return absl::DataLossError(
        absl::StrCat("ext4 inode ", link, ": byte ", place, " of the link target is zero"));
  }
  return target;
}

// Replays the journal, or finds what state it is left in.
absl::StatusOr<JournalState> PrepareJournal(Volume& volume, const backends::OpenOptions& options) {
  if (options.dirty_journal == backends::DirtyJournal::kIgnore) {
    return ReadJournalState(volume).value_or(JournalState::kDamaged);
  }
  absl::StatusOr<JournalState> state = RecoverJournal(volume, options.on_replay);
  if (!state.ok()) {
    return absl::Status(
        state.status().code(),
        absl::StrCat(state.status().message(), "; --no-replay reads what lies on the medium"));
  }
  return state;
}

}  // namespace

bool Recognises(const dax::Device& device) {
  const auto bytes = device.View(ByteRange{kSuperblockOffset, sizeof(DiskSuperblock)});
  return bytes.ok() &&
         backends::CopyOut<DiskSuperblock>(bytes->data()).magic.get() == kSuperblockMagic;
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenFilesystem(
    dax::DeviceSet devices, const backends::OpenOptions& options) {
  if (devices.size() > 1) {
    return absl::InvalidArgumentError("ext4 has no realtime device");
  }
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<Volume> volume, Volume::Open(std::move(devices)));
  IOMAP_ASSIGN_OR_RETURN(const JournalState journal, PrepareJournal(*volume, options));
  return std::make_unique<Filesystem>(std::move(volume), journal);
}

}  // namespace iomap::ext4
