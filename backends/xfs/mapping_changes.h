#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "backends/xfs/extent.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// One change of a file's mappings that the log promises and the file does not have.
struct MappingChange {
  enum class Kind { kMap, kUnmap };
  Kind kind = Kind::kMap;
  Extent extent;
};

// Changes of data forks that a log leaves unfinished, by inode. Does not change once a file system
// is open; safe for concurrent use then.
class MappingChanges {
 public:
  // In the order in which they are to be made.
  void Add(InodeNumber inode, const MappingChange& change) { changes_[inode].push_back(change); }
  // The file is half changed in a way that cannot be finished here; `what` names it.
  void Refuse(InodeNumber inode, absl::string_view what) { refused_.emplace(inode, what); }

  // Unimplemented for a file that is refused.
  absl::Status CheckFinished(InodeNumber inode) const;

  // Makes the changes of `inode`, if there are any: its data fork becomes a list of extents, the
  // old one with the changes. DataLoss when the old one is damaged.
  absl::Status FinishFile(const Volume& volume, Inode& inode) const;

 private:
  absl::flat_hash_map<InodeNumber, std::vector<MappingChange>> changes_;
  absl::flat_hash_map<InodeNumber, std::string> refused_;
};

}  // namespace iomap::xfs
