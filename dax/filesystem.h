#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "dax/file.h"
#include "iomap/filesystem.h"

namespace iomap::dax {

// A file system on devices of this process. Thread-safety and errors: iomap::Filesystem.
class Filesystem : public iomap::Filesystem {
 public:
  // Opened twice at a time, the same File.
  virtual absl::StatusOr<std::shared_ptr<File>> OpenFile(InodeNumber inode) = 0;

  absl::StatusOr<std::shared_ptr<iomap::File>> Open(InodeNumber inode) final;
};

}  // namespace iomap::dax
