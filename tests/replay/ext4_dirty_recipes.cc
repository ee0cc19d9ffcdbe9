#include "tests/replay/ext4_dirty_recipes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/ext4/fast_commit_log.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/journal_log.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/replay/ext4_journal_facts.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

absl::StatusOr<FileDescriptor> Create(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  if (!file.is_open()) {
    return SystemError(path);
  }
  return file;
}

absl::Status Write(const FileDescriptor& file, uint64_t offset, const std::string& bytes) {
  return pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                 static_cast<ssize_t>(bytes.size())
             ? absl::OkStatus()
             : SystemError("write at ", offset);
}

absl::Status Sync(const FileDescriptor& file) {
  return fsync(file.get()) == 0 ? absl::OkStatus() : SystemError("fsync");
}

// Blocks that begin with the magic number of the journal, in a file whose data goes through it.
class EscapedBlocks : public DirtyLoad {
 public:
  absl::Status Run(const Workshop& workshop, uint64_t seed) override {
    const std::string mount_path = workshop.mount_path();
    IOMAP_RETURN_IF_ERROR(
        RunLoad(mount_path, {.first_number = 100000, .seed = seed + 1000, .operations = 150}));
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(mount_path + "/escaped"));
    for (int block = 0; block < 20; ++block) {
      IOMAP_RETURN_IF_ERROR(Write(file, block * 4096, absl::StrCat("\xC0\x3B\x39\x98", block)));
    }
    return Sync(file);
  }
};

// Small transactions until the log goes from the end of the journal on at its beginning.
class WrappedLog : public DirtyLoad {
 public:
  absl::Status Run(const Workshop& workshop, uint64_t seed) override {
    constexpr int kMostRounds = 200;
    for (int round = 0; round < kMostRounds; ++round) {
      const std::string directory = absl::StrCat(workshop.mount_path(), "/round-", round);
      if (mkdir(directory.c_str(), 0755) != 0) {
        return SystemError(directory);
      }
      IOMAP_RETURN_IF_ERROR(RunLoad(directory, {.seed = seed + 5000 + round,
                                                .operations = 30,
                                                .operations_per_sync = 4,
                                                .most_bytes = 4000}));
      // What the kernel has written so far can be read in the image.
      const auto facts = JournalFactsOf(workshop.image_path());
      if (facts.ok() && facts->contains("wrap")) {
        return absl::OkStatus();
      }
    }
    return absl::InternalError("the log does not wrap");
  }
};

// Directories, and files of many extents, that go away after their blocks went through the journal,
// and files that take their place.
class RevokedBlocks : public DirtyLoad {
 public:
  absl::Status Run(const Workshop& workshop, uint64_t seed) override {
    const std::string mount_path = workshop.mount_path();
    for (int round = 0; round < 4; ++round) {
      const std::string directory = absl::StrCat(mount_path, "/round-", round);
      if (mkdir(directory.c_str(), 0755) != 0) {
        return SystemError(directory);
      }
      for (int i = 0; i < 300; ++i) {
        IOMAP_RETURN_IF_ERROR(Create(NameIn(directory, i)).status());
      }
      IOMAP_ASSIGN_OR_RETURN(FileDescriptor file, Create(directory + "/synced"));
      IOMAP_RETURN_IF_ERROR(Sync(file));
      for (int i = 0; i < 300; ++i) {
        unlink(NameIn(directory, i).c_str());
      }
      unlink((directory + "/synced").c_str());
      if (rmdir(directory.c_str()) != 0) {
        return SystemError(directory);
      }
      IOMAP_ASSIGN_OR_RETURN(file, Create(absl::StrCat(mount_path, "/reuse-", round)));
      IOMAP_RETURN_IF_ERROR(Write(file, 0, std::string(3'000'000, static_cast<char>('a' + round))));
      IOMAP_RETURN_IF_ERROR(Sync(file));
    }
    return RunLoad(mount_path, {.first_number = 100000, .seed = seed + 2000, .operations = 100});
  }

 private:
  static std::string NameIn(const std::string& directory, int i) {
    return absl::StrCat(directory, "/", i, std::string(100, 'n'));
  }
};

// Files that are unlinked while they are open, and files of which preallocated space past the end
// of file is left.
class OpenOrphans : public DirtyLoad {
 public:
  absl::Status Run(const Workshop& workshop, uint64_t seed) override {
    const std::string mount_path = workshop.mount_path();
    IOMAP_RETURN_IF_ERROR(
        RunLoad(mount_path, {.first_number = 100000, .seed = seed + 3000, .operations = 100}));
    for (int i = 0; i < 30; ++i) {
      const std::string path = absl::StrCat(mount_path, "/open-", i);
      IOMAP_ASSIGN_OR_RETURN(FileDescriptor file, Create(path));
      IOMAP_RETURN_IF_ERROR(Write(file, i * 5000, std::string(10'000, 'o')));
      if (unlink(path.c_str()) != 0) {
        return SystemError(path);
      }
      open_.push_back(std::move(file));
    }
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(mount_path + "/synced"));
    return Sync(file);
  }

 private:
  std::vector<FileDescriptor> open_;
};

// Small changes, each followed by an fsync(2), which become fast commits.
class FastCommits : public DirtyLoad {
 public:
  absl::Status Run(const Workshop& workshop, uint64_t seed) override {
    const std::string mount_path = workshop.mount_path();
    const std::string directory = mount_path + "/late";
    if (mkdir(directory.c_str(), 0755) != 0) {
      return SystemError(directory);
    }
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor first, Create(directory + "/first"));
    IOMAP_RETURN_IF_ERROR(Sync(first));
    if (syncfs(first.get()) != 0) {  // a full commit: the fast ones follow it
      return SystemError("syncfs ", directory);
    }
    IOMAP_RETURN_IF_ERROR(RunLoad(directory, {.seed = seed + 4000,
                                              .operations = 50,
                                              .operations_per_sync = 3,
                                              .most_bytes = 30'000,
                                              .directories = with_directories_}));
    // What was done last may have needed a full commit. After it, these do not.
    for (int i = 0; i < 6; ++i) {
      IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file,
                             Create(absl::StrCat(directory, "/last-", i)));
      IOMAP_RETURN_IF_ERROR(Write(file, 0, std::string(100 + 3000 * i, 'l')));
      IOMAP_RETURN_IF_ERROR(Sync(file));
    }
    return absl::OkStatus();
  }

 protected:
  bool with_directories_ = false;
};

// The same with new directories, for which the replay has to find blocks.
class FastCommitsOfDirectories : public FastCommits {
 public:
  FastCommitsOfDirectories() { with_directories_ = true; }
};

// Names that come and go in directories inside their inodes, which small ones are with inline data.
class FastCommitsOfInlineDirectories : public DirtyLoad {
 public:
  absl::Status Run(const Workshop& workshop, uint64_t seed) override {
    constexpr int kDirectories = 6;
    const auto directory = [&](int i) {
      return absl::StrCat(workshop.mount_path(), "/inline-", i);
    };
    for (int i = 0; i < kDirectories; ++i) {
      if (mkdir(directory(i).c_str(), 0755) != 0) {
        return SystemError(directory(i));
      }
      IOMAP_RETURN_IF_ERROR(Create(directory(i) + "/old").status());
    }
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor synced, Create(workshop.mount_path() + "/synced"));
    if (syncfs(synced.get()) != 0) {  // a full commit: the fast ones follow it
      return SystemError("syncfs ", workshop.mount_path());
    }
    for (int i = 0; i < kDirectories; ++i) {
      const std::string fresh = absl::StrCat(directory(i), "/n", seed % 1000);
      IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, Create(fresh));
      IOMAP_RETURN_IF_ERROR(Write(file, 0, std::string(3000 * i + 20, 'i')));
      const std::string old = directory(i) + "/old";
      const std::string other = absl::StrCat(directory((i + 1) % kDirectories), "/m", i);
      if ((i % 3 == 0 && unlink(old.c_str()) != 0) ||
          (i % 3 == 1 && rename(old.c_str(), other.c_str()) != 0) ||
          (i % 3 == 2 && link(old.c_str(), other.c_str()) != 0)) {
        return SystemError(old);
      }
      IOMAP_RETURN_IF_ERROR(Sync(file));
      // A new directory, inside its inode too.
      if (mkdir((directory(i) + "/d").c_str(), 0755) != 0) {
        return SystemError(directory(i), "/d");
      }
      IOMAP_ASSIGN_OR_RETURN(const FileDescriptor inner, Create(directory(i) + "/d/in"));
      IOMAP_RETURN_IF_ERROR(Sync(inner));
    }
    return absl::OkStatus();
  }
};

// The journal of an image, and a way to overwrite bytes of it in the image.
class JournalOfImage {
 public:
  static absl::StatusOr<JournalOfImage> Open(const std::string& image_path) {
    dax::DeviceSet devices;
    IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(), dax::FileDevice::OpenReadOnly(image_path, 0));
    IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<ext4::Volume> volume,
                           ext4::Volume::Open(std::move(devices)));
    IOMAP_ASSIGN_OR_RETURN(ext4::Journal journal, ext4::Journal::Open(*volume));
    FileDescriptor image(open(image_path.c_str(), O_RDWR | O_CLOEXEC));
    return JournalOfImage(std::move(volume), std::move(journal), std::move(image));
  }

  const ext4::Journal& journal() const { return journal_; }
  absl::Status Overwrite(absl::Span<const std::byte> place) const {
    return Write(image_, static_cast<uint64_t>(place.data() - volume_->device().bytes().data()),
                 std::string(place.size(), 'T'));
  }

 private:
  JournalOfImage(std::unique_ptr<ext4::Volume> volume, ext4::Journal journal, FileDescriptor image)
      : volume_(std::move(volume)), journal_(std::move(journal)), image_(std::move(image)) {}

  std::unique_ptr<ext4::Volume> volume_;
  ext4::Journal journal_;
  FileDescriptor image_;
};

// Destroys the last copy of the log's last transaction, and its commit block: as if the power had
// gone before they were written.
absl::Status TearLastTransaction(const std::string& image_path) {
  IOMAP_ASSIGN_OR_RETURN(const JournalOfImage image, JournalOfImage::Open(image_path));
  IOMAP_ASSIGN_OR_RETURN(const ext4::JournalLog log, ext4::ScanLog(image.journal()));
  if (log.transactions.size() < 2) {
    return absl::InternalError("fewer than two transactions");
  }
  const uint32_t last = log.transactions.back().blocks.back().log_block;
  const ext4::JournalSuperblock& superblock = image.journal().superblock();
  const uint32_t commit = last + 1 == superblock.ring_end ? superblock.ring_begin : last + 1;
  for (const uint32_t index : {last, commit}) {
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> block, image.journal().Block(index));
    IOMAP_RETURN_IF_ERROR(image.Overwrite(block.first(100)));
  }
  return absl::OkStatus();
}

// Destroys the last record of the last fast commit: the others stay.
absl::Status TearLastFastCommit(const std::string& image_path) {
  IOMAP_ASSIGN_OR_RETURN(const JournalOfImage image, JournalOfImage::Open(image_path));
  IOMAP_ASSIGN_OR_RETURN(const ext4::JournalLog log, ext4::ScanLog(image.journal()));
  IOMAP_ASSIGN_OR_RETURN(
      const std::vector<ext4::FastCommitRecord> records,
      ext4::ScanFastCommits(image.journal(), log.next_sequence, /*inode_size=*/256));
  return records.empty() ? absl::InternalError("no fast commits")
                         : image.Overwrite(records.back().value.first(4));
}

template <typename Load>
std::unique_ptr<DirtyLoad> Make() {
  return std::make_unique<Load>();
}

void AddLayouts(std::vector<Ext4DirtyRecipe>& recipes) {
  recipes.push_back(
      {.name = "Defaults", .mkfs = {}, .facts = {"transactions", "checksums v3", "64bit"}});
  recipes.push_back({.name = "CopiedWhileMounted",
                     .mkfs = {},
                     .taken = Taken::kWhileMounted,
                     .facts = {"transactions"}});
  recipes.push_back({.name = "ChecksumsV3Without64bit",
                     .mkfs = {"-O", "^64bit"},
                     .facts = {"transactions", "checksums v3"}});
  recipes.push_back({.name = "NoChecksums64bit",
                     .mkfs = {"-O", "^metadata_csum,64bit"},
                     .facts = {"transactions", "checksums none", "64bit"}});
  recipes.push_back({.name = "NoChecksumsWithout64bit",
                     .mkfs = {"-O", "^metadata_csum,^64bit"},
                     .facts = {"transactions", "checksums none"}});
  recipes.push_back({.name = "ChecksumsV1",
                     .mkfs = {"-O", "^metadata_csum"},
                     .mount_options = "journal_checksum",
                     .facts = {"transactions", "checksums v1"}});
  recipes.push_back({.name = "AsynchronousCommits",
                     .mkfs = {},
                     .mount_options = "journal_async_commit,data=writeback",
                     .facts = {"transactions", "checksums v3"}});
  recipes.push_back({.name = "Ext3",
                     .mkfs = {"-t", "ext3"},
                     .options = {.operations = 900, .preallocate = false},
                     .facts = {"transactions", "checksums none"}});
}

}  // namespace

std::vector<Ext4DirtyRecipe> Ext4DirtyRecipes() {
  std::vector<Ext4DirtyRecipe> recipes;
  AddLayouts(recipes);
  recipes.push_back({.name = "SmallestJournalWraps",
                     .mkfs = {"-b", "1024", "-J", "size=1"},
                     .load = &Make<WrappedLog>,
                     .facts = {"transactions", "wrap"}});
  recipes.push_back({.name = "EscapedBlocks",
                     .mkfs = {},
                     .mount_options = "data=journal",
                     .load = &Make<EscapedBlocks>,
                     .facts = {"transactions", "escape"}});
  recipes.push_back({.name = "RevokedBlocks",
                     .mkfs = {},
                     .load = &Make<RevokedBlocks>,
                     .facts = {"transactions", "revoke"}});
  recipes.push_back({.name = "RevokedBlocks32",
                     .mkfs = {"-O", "^64bit,^metadata_csum"},
                     .load = &Make<RevokedBlocks>,
                     .facts = {"transactions", "revoke"}});
  recipes.push_back({.name = "TornLastTransaction",
                     .mkfs = {},
                     .damage = &TearLastTransaction,
                     .facts = {"transactions", "checksums v3"}});
  recipes.push_back({.name = "NothingFlushed",
                     .mkfs = {},
                     .shutdown = Shutdown::kNoFlush,
                     .facts = {"transactions"}});
  recipes.push_back({.name = "OrphanList",
                     .mkfs = {"-O", "^orphan_file"},
                     .load = &Make<OpenOrphans>,
                     .truth = Truth::kReplayedImage,
                     .facts = {"transactions", "orphan"}});
  recipes.push_back({.name = "OrphanFile",
                     .mkfs = {"-O", "orphan_file"},
                     .load = &Make<OpenOrphans>,
                     .truth = Truth::kReplayedImage,
                     .facts = {"transactions", "orphan"}});
  recipes.push_back({.name = "FastCommits",
                     .mkfs = {"-O", "fast_commit"},
                     .shutdown = Shutdown::kNoFlush,
                     .load = &Make<FastCommits>,
                     .truth = Truth::kReplayedImage,
                     .facts = {"transactions", "fast commit"}});
  recipes.push_back({.name = "TornLastFastCommit",
                     .mkfs = {"-O", "fast_commit"},
                     .shutdown = Shutdown::kNoFlush,
                     .load = &Make<FastCommits>,
                     .damage = &TearLastFastCommit,
                     .truth = Truth::kReplayedImage,
                     .facts = {"transactions", "fast commit"}});
  recipes.push_back({.name = "FastCommitsOfDirectories",
                     .mkfs = {"-O", "fast_commit", "-b", "4096"},
                     .shutdown = Shutdown::kNoFlush,
                     .load = &Make<FastCommitsOfDirectories>,
                     .truth = Truth::kReplayedImage,
                     .facts = {"transactions", "fast commit"}});
  recipes.push_back({.name = "FastCommitsOfInlineDirectories",
                     .mkfs = {"-O", "fast_commit,inline_data", "-b", "4096"},
                     .shutdown = Shutdown::kNoFlush,
                     .load = &Make<FastCommitsOfInlineDirectories>,
                     .truth = Truth::kReplayedImage,
                     .facts = {"transactions", "fast commit", "inside the directory's inode"}});
  return recipes;
}

}  // namespace iomap::tests
