#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/file.h"
#include "dax/freeze_gate.h"
#include "iomap/filesystem.h"

namespace iomap::dax {

// A file system on devices of this process. Thread-safety and errors: iomap::Filesystem.
class Filesystem : public iomap::Filesystem {
 public:
  // Opened twice at a time, the same File.
  virtual absl::StatusOr<std::shared_ptr<File>> OpenFile(InodeNumber inode) = 0;

  absl::StatusOr<std::shared_ptr<iomap::File>> Open(InodeNumber inode) final;

  // sync(2): every file that is open, since closed ones were synced with their last close. Goes on
  // after an error, and returns the first.
  absl::Status Sync() override;

  // FIFREEZE: waits for whoever changes the file system, keeps others out, and syncs. When OK
  // returns, the medium holds all, until Thaw. On an error it is not frozen.
  absl::Status Freeze();
  void Thaw();

 protected:
  // Of a backend that writes: calls `file` for each file that is open.
  virtual void ForEachOpenFile(absl::FunctionRef<void(File&)> file);

  FreezeGate& freeze_gate() { return freeze_gate_; }

 private:
  FreezeGate freeze_gate_;
};

}  // namespace iomap::dax
