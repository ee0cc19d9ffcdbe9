#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "iomap/attributes.h"
#include "iomap/file.h"

namespace iomap {

// What a backend can do beyond looking a name up and mapping a range for reading.
enum class Capability : uint32_t {
  kNone = 0,
  kSymbolicLinks = 1 << 0,  // ReadLink
  kInlineData = 1 << 1,     // mappings may be kInline; File::ReadInline
  kReport = 1 << 2,         // MapForReport says more than MapForRead (shared ranges)
  kNames = 1 << 3,          // Create, MakeSymbolicLink with kSymbolicLinks, Unlink
  kWrite = 1 << 4,          // File::MapForWrite, Fsync; Sync
  kSetSize = 1 << 5,        // File::SetSize
  kAllocate = 1 << 6,       // File::Fallocate with kAllocate and kAllocateKeepSize
  kPunchHole = 1 << 7,      // with kPunchHole
  kZeroRange = 1 << 8,      // with kZeroRange and kZeroRangeKeepSize
  kShiftRange = 1 << 9,     // with kCollapseRange and kInsertRange
  kShare = 1 << 10,         // File::CloneRange, Fallocate with kUnshareRange
  kDax = 1 << 11,           // page faults: the file's bytes can be mapped and stored to
};

constexpr Capability operator|(Capability a, Capability b) {
  return static_cast<Capability>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}
// True when `one` is among `all`.
constexpr bool HasCapability(Capability all, Capability one) {
  return (static_cast<uint32_t>(all) & static_cast<uint32_t>(one)) != 0;
}

// What the journal, or log, of a file system means to who reads the file system.
enum class JournalState {
  kNone,      // there is none
  kClean,     // the medium is all that there is
  kReplayed,  // it held changes, and they are in place
  kDirty,     // it holds changes that are not in place: what is read is older than it should be
  kDamaged,   // it cannot be read, and nothing of it is in place
  kExternal,  // it is on a device of its own and was not looked at
};

// "none", "clean", "replayed", "dirty, not replayed", "damaged, not replayed", "external, not
// looked at".
absl::string_view JournalStateName(JournalState state);

// What is true of a file system as a whole.
struct FilesystemInfo {
  std::string backend = {};  // "ext4", "xfs": the name in the registry
  Capability capabilities = Capability::kNone;
  uint32_t block_size = 0;  // bytes: the unit of bmap and of the filefrag columns
  uint64_t size_bytes = 0;  // of the whole file system on its main device
  uint64_t free_bytes = 0;
  uint64_t inode_count = 0;
  uint64_t free_inode_count = 0;
  std::string uuid = {};  // 8-4-4-4-12 hexadecimal digits
  std::string label = {};
  // The names that the format's own mkfs and dump programs use.
  std::vector<std::string> features = {};
  JournalState journal = JournalState::kNone;
  // The backend's own facts: a name, with underscores for spaces, and a number or a word.
  std::vector<std::pair<std::string, std::variant<uint64_t, std::string>>> geometry = {};
};

// One entry of a directory. `name` is the bytes on the medium; it lives as long as the call that
// gave it.
struct DirectoryEntry {
  absl::string_view name;
  InodeNumber inode = 0;
  FileType type = FileType::kUnknown;  // kUnknown when the medium does not say
  uint64_t next_cookie = 0;            // give it to ReadDirectory to go on after this entry
};

// A file system: the other half of the plug-in interface. Inode numbers in, names and files out;
// walking a path is built on it (path.h). Safe for concurrent use.
//
// Errors: NotFound for a name or inode that does not exist, FailedPrecondition for the wrong kind
// of inode (not a directory, not a symbolic link), DataLoss for damage with place and value.
class Filesystem {
 public:
  virtual ~Filesystem();

  virtual absl::StatusOr<FilesystemInfo> info() = 0;
  virtual InodeNumber root() const = 0;

  // The inode of `name` in `directory`; "." and ".." are names too.
  virtual absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) = 0;

  // Calls `entry` for each entry but "." and "..", in the order of the medium, from `cookie` on (0:
  // from the first), until it returns false. No lock is held: it may call the file system.
  virtual absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                                     absl::FunctionRef<bool(const DirectoryEntry&)> entry) = 0;

  // The target of a symbolic link.
  virtual absl::StatusOr<std::string> ReadLink(InodeNumber link);

  // Opened twice at a time, the same File.
  virtual absl::StatusOr<std::shared_ptr<File>> Open(InodeNumber inode) = 0;

  // Makes an empty file or directory, as `mode` (as in st_mode) says, and gives its number: or
  // AlreadyExists when the name is taken, InvalidArgument when it is none ("", ".", "..", "a/b").
  virtual absl::StatusOr<InodeNumber> Create(InodeNumber directory, absl::string_view name,
                                             uint32_t mode);
  virtual absl::StatusOr<InodeNumber> MakeSymbolicLink(InodeNumber directory,
                                                       absl::string_view name,
                                                       absl::string_view target);

  // Removes a name, of an empty directory too; FailedPrecondition for one that is not. The file
  // behind the last name lives on while it is open.
  virtual absl::Status Unlink(InodeNumber directory, absl::string_view name);

  // sync(2): File::Fsync of every file.
  virtual absl::Status Sync();
};

}  // namespace iomap
