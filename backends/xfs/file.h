#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backends/xfs/block_map.h"
#include "backends/xfs/directory.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/shared_ranges.h"
#include "backends/xfs/volume.h"
#include "dax/file.h"

namespace iomap::xfs {

// One inode of an xfs file system. Thread-safety and errors: iomap::File. A local fork is one
// inline mapping. Mapping a realtime file without a realtime device is FailedPrecondition.
class File final : public dax::File {
 public:
  // `volume` and `shared_ranges` outlive the file. DataLoss when the root of its extents is
  // damaged.
  static absl::StatusOr<std::shared_ptr<File>> Open(const Volume& volume,
                                                    SharedRanges& shared_ranges, Inode inode);

  absl::StatusOr<Attributes> attributes() override { return inode_.attributes; }
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override;
  absl::StatusOr<size_t> MapForReport(const ByteRange& range, absl::Span<Mapping> out) override;
  absl::Status ReadInline(uint64_t offset, absl::Span<std::byte> out) override;

  // The entries; FailedPrecondition when it is not a directory.
  absl::StatusOr<const Directory*> directory() const;
  // The target; FailedPrecondition when it is not a symbolic link.
  absl::StatusOr<std::string> ReadLink() const;

 private:
  File(const Volume& volume, SharedRanges& shared_ranges, Inode inode, backends::TreeNode root);

  absl::Status CheckDevice() const;
  Mapping MappingOf(const Extent& extent) const;
  // The parts of `extent` from file block `from` on, each shared or not, until `append` returns
  // false, as this does then.
  template <typename Append>
  absl::StatusOr<bool> SplitByShares(const Extent& extent, uint64_t from, Append&& append) const;

  const Volume& volume_;
  SharedRanges& shared_ranges_;
  const Inode inode_;
  const BlockMap block_map_;
  const Directory directory_;
};

}  // namespace iomap::xfs
