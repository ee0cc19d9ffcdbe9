#include "iomap/attributes.h"

namespace iomap {

absl::string_view FileTypeName(FileType type) {
  switch (type) {
    case FileType::kUnknown:
      return "unknown";
    case FileType::kRegular:
      return "file";
    case FileType::kDirectory:
      return "directory";
    case FileType::kCharacterDevice:
      return "chardev";
    case FileType::kBlockDevice:
      return "blockdev";
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
    case FileType::kSymbolicLink:
      return "symlink";
  }
  return "unknown";
}

FileType FileTypeOfMode(uint32_t mode) {
  switch (mode & 0170000) {
    case 0100000:
      return FileType::kRegular;
    case 0040000:
      return FileType::kDirectory;
    case 0020000:
      return FileType::kCharacterDevice;
    case 0060000:
      return FileType::kBlockDevice;
    case 0010000:
      return FileType::kFifo;
    case 0140000:
      return FileType::kSocket;
    case 0120000:
      return FileType::kSymbolicLink;
    default:
      return FileType::kUnknown;
  }
}

}  // namespace iomap
