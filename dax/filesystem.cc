#include "dax/filesystem.h"

namespace iomap::dax {

absl::StatusOr<std::shared_ptr<iomap::File>> Filesystem::Open(InodeNumber inode) {
  return OpenFile(inode);
}

}  // namespace iomap::dax
