#include "tests/support/recipe_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/registry.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/support/debugfs_referee.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/system_error.h"
#include "tests/support/xfs_db_referee.h"
#include "tests/support/xfs_protofile.h"

namespace iomap::tests {
namespace {

constexpr int kEditedBlocks = 120;

absl::Status MakeSparseImage(const std::string& path, uint64_t bytes) {
  const FileDescriptor image(open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!image.is_open() || ftruncate(image.get(), static_cast<off_t>(bytes)) != 0) {
    return SystemError(path);
  }
  return absl::OkStatus();
}

absl::Status RunOnImage(Arguments arguments, const std::string& image_path) {
  arguments.push_back(image_path);
  IOMAP_ASSIGN_OR_RETURN(const CommandResult result, RunCommand(arguments));
  // e2fsck says with 1 that it has changed something, which it was asked to do.
  const bool done =
      result.exit_status == 0 || (arguments[0] == "e2fsck" && result.exit_status == 1);
  return done ? absl::OkStatus()
              : absl::InternalError(absl::StrCat(absl::StrJoin(arguments, " "), ": exit status ",
                                                 result.exit_status, ": ", result.output,
                                                 result.errors));
}

absl::Status RunAllOnImage(const std::vector<Arguments>& programs, const std::string& image_path) {
  for (const Arguments& program : programs) {
    IOMAP_RETURN_IF_ERROR(RunOnImage(program, image_path));
  }
  return absl::OkStatus();
}

absl::Status RunMkfs(const Recipe& recipe, const Arguments& more_options,
                     const Workshop& workshop) {
  IOMAP_RETURN_IF_ERROR(MakeSparseImage(workshop.image_path(), recipe.image_bytes));
  Arguments mkfs = recipe.mkfs;
  mkfs.insert(mkfs.end(), more_options.begin(), more_options.end());
  IOMAP_RETURN_IF_ERROR(RunOnImage(mkfs, workshop.image_path()));
  return RunAllOnImage(recipe.after_mkfs, workshop.image_path());
}

bool HoldsExtendedAttributes(const std::string& path) {
  return setxattr(path.c_str(), "user.probe", "", 0, 0) == 0 &&
         removexattr(path.c_str(), "user.probe") == 0;
}

// What a source tree can have of the recipe's options: no device files, and of what mkfs copies
// only what it copies rightly. mkfs.xfs writes holes out.
FillOptions SourceOptions(const Recipe& recipe, uint64_t seed, const std::string& source_path) {
  FillOptions options = recipe.fill;
  options.seed = seed;
  options.root = false;
  options.clone = false;
  options.preallocate = false;
  options.zero_range = false;
  options.fragments = std::min(options.fragments, 200);
  options.sparse = recipe.mkfs_copies_sparse_files;
  options.longest_symlink = std::min(options.longest_symlink, recipe.mkfs_longest_symlink);
  if (recipe.type == "xfs") {
    options.xattr_bytes = 0;
    options.far_offset = uint64_t{4} << 20;
    return options;
  }
  // mke2fs reads a directory from its start for each name that it adds.
  options.directory_entries = std::min(options.directory_entries, 6000);
  if (options.xattr_bytes > 0) {
    options.xattr_bytes = HoldsExtendedAttributes(source_path) ? 500 : 0;
  }
  return options;
}

absl::Status MakeDenseFile(const std::string& path, uint64_t size) {
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const std::string bytes(size, 'e');
  if (!file.is_open() ||
      write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return SystemError(path);
  }
  return absl::OkStatus();
}

// Punches every other pair of blocks of "/edited" in the image and in the source, and preallocates
// past the end of file.
absl::Status EditWithDebugfs(const Recipe& recipe, const Workshop& workshop) {
  const uint32_t block_size = recipe.fill.block_size;
  const std::string source_path = workshop.source_path() + "/edited";
  const FileDescriptor source(open(source_path.c_str(), O_RDWR | O_CLOEXEC));
  std::string script;
  for (int block = 2; block < kEditedBlocks; block += 4) {
    absl::StrAppend(&script, "punch /edited ", block, " ", block + 1, "\n");
    if (fallocate(source.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(block) * block_size,
                  2 * static_cast<off_t>(block_size)) != 0) {
      return SystemError("punch ", source_path);
    }
  }
  absl::StrAppend(&script, "fallocate /edited ", kEditedBlocks + 8, " ", kEditedBlocks + 19, "\n");
  return OutputOf({"debugfs", "-w", "-f", "/dev/stdin", workshop.image_path()}, script).status();
}

}  // namespace

absl::StatusOr<Workshop> Workshop::Make() {
  IOMAP_ASSIGN_OR_RETURN(TemporaryDirectory folder, TemporaryDirectory::Make());
  Workshop workshop{std::move(folder)};
  if (mkdir(workshop.mount_path().c_str(), 0700) != 0 ||
      mkdir(workshop.source_path().c_str(), 0755) != 0) {
    return SystemError(workshop.folder.path());
  }
  return workshop;
}

absl::Status MakeEmptyImage(const Recipe& recipe, const Workshop& workshop) {
  return RunMkfs(recipe, {}, workshop);
}

absl::Status MakeImageThroughMount(const Recipe& recipe, uint64_t seed, const Workshop& workshop) {
  IOMAP_RETURN_IF_ERROR(MakeEmptyImage(recipe, workshop));
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<LoopMount> mount,
                         LoopMount::Make(workshop.image_path(), workshop.mount_path(), recipe.type,
                                         MountMode::kReadWrite, ""));
  if (recipe.prepare != nullptr) {
    IOMAP_RETURN_IF_ERROR(recipe.prepare(mount->path()));
  }
  FillOptions options = recipe.fill;
  options.seed = seed;
  IOMAP_RETURN_IF_ERROR(FillTree(mount->path(), options));
  IOMAP_RETURN_IF_ERROR(mount->Unmount());
  return RunAllOnImage(recipe.after_fill, workshop.image_path());
}

absl::Status MakeImageFromSource(const Recipe& recipe, uint64_t seed, const Workshop& workshop) {
  const std::string source = workshop.source_path();
  IOMAP_RETURN_IF_ERROR(FillTree(source, SourceOptions(recipe, seed, source)));
  IOMAP_RETURN_IF_ERROR(
      MakeDenseFile(source + "/edited", uint64_t{kEditedBlocks} * recipe.fill.block_size));
  if (recipe.type == "xfs") {
    const std::string protofile = workshop.folder / "protofile";
    IOMAP_RETURN_IF_ERROR(WriteProtofile(source, protofile));
    IOMAP_RETURN_IF_ERROR(RunMkfs(recipe, {"-p", protofile}, workshop));
  } else {
    IOMAP_RETURN_IF_ERROR(RunMkfs(recipe, {"-d", source}, workshop));
    IOMAP_RETURN_IF_ERROR(EditWithDebugfs(recipe, workshop));
  }
  return RunAllOnImage(recipe.after_fill, workshop.image_path());
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> OpenImage(const std::string& image_path,
                                                           const backends::OpenOptions& options) {
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::Device> device,
                         dax::FileDevice::OpenReadOnly(image_path, /*image_offset=*/0));
  dax::DeviceSet devices;
  devices.push_back(std::move(device));
  return backends::OpenFilesystem(backends::BuiltInBackends(), std::move(devices), /*name=*/"",
                                  options);
}

absl::StatusOr<RefereeReport> AskReferee(const Recipe& recipe, const Workshop& workshop,
                                         const std::map<InodeNumber, std::string>& inodes) {
  std::vector<InodeNumber> numbers;
  for (const auto& [inode, path] : inodes) {
    numbers.push_back(inode);
  }
  return recipe.type == "xfs" ? AskXfsDb(workshop.image_path(), numbers)
                              : AskDebugfs(workshop.image_path(), numbers);
}

}  // namespace iomap::tests
