#include "dax/filesystem.h"

namespace iomap::dax {

absl::StatusOr<std::shared_ptr<iomap::File>> Filesystem::Open(InodeNumber inode) {
  return OpenFile(inode);
}

absl::Status Filesystem::Sync() {
  absl::Status status;
  ForEachOpenFile([&](File& file) { status.Update(file.SyncUnlocked()); });
  return status;
}

absl::Status Filesystem::Freeze() {
  freeze_gate_.Close();
  absl::Status status;
  ForEachOpenFile([&](File& file) { status.Update(file.TrapStores()); });
  status.Update(Sync());
  if (!status.ok()) {
    freeze_gate_.Open();
  }
  return status;
}

void Filesystem::Thaw() { freeze_gate_.Open(); }

void Filesystem::ForEachOpenFile(absl::FunctionRef<void(File&)> /*file*/) {}

}  // namespace iomap::dax
