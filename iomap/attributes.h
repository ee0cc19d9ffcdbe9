#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace iomap {

using InodeNumber = uint64_t;

// What kind of file an inode is, as stat(2) tells it.
enum class FileType : uint8_t {
  kUnknown,
  kRegular,
  kDirectory,
  kCharacterDevice,
  kBlockDevice,
  kFifo,
  kSocket,
  kSymbolicLink,
};

// "file", "directory", "symlink", "fifo", "socket", "chardev", "blockdev", "unknown".
absl::string_view FileTypeName(FileType type);

// The file type that the upper bits of st_mode say.
FileType FileTypeOfMode(uint32_t mode);

// A point in time: seconds since 1970 (negative before), and nanoseconds, below 10^9, after them.
struct Timestamp {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;

  friend bool operator==(const Timestamp&, const Timestamp&) = default;
};

// What stat(2) says of an inode.
struct Attributes {
  InodeNumber inode = 0;
  FileType type = FileType::kUnknown;
  uint32_t mode = 0;  // type and permission bits as in st_mode
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t link_count = 0;
  uint64_t size = 0;        // bytes, at most ByteRange::kMaxOffset
  uint64_t blocks_512 = 0;  // allocated space in 512-byte units, metadata of the file included
  Timestamp access_time = {};
  Timestamp modification_time = {};
  Timestamp change_time = {};
};

}  // namespace iomap
