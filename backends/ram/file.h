#pragma once

#include <memory>
#include <vector>

#include "backends/ram/inode.h"
#include "dax/file.h"

namespace iomap::ram {

// An open file: the plug-in interface over an Inode. Each method below is one transaction, since it
// changes the inode under its map lock and ends: what a real file system would log, and commit.
class File : public dax::File {
 public:
  File(std::shared_ptr<Inode> inode, const dax::DeviceSet& devices,
       const dax::FileOptions& options);

  absl::StatusOr<Attributes> attributes() override;
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override;
  absl::StatusOr<size_t> MapForReport(const ByteRange& range, absl::Span<Mapping> out) override;
  absl::Status ReadInline(uint64_t offset, absl::Span<std::byte> out) override;
  absl::StatusOr<WriteMapping> MapForWrite(const IoExclusive& io, const ByteRange& range) override;
  absl::StatusOr<WriteMapping> MapForFault(const InvalidateHeld& invalidate,
                                           const ByteRange& pages) override;

 protected:
  absl::Status AllocateBlocks(const dax::ExtentLocks& locks, const ByteRange& blocks,
                              uint64_t size) override;
  absl::Status FreeBlocks(const dax::ExtentLocks& locks, const ByteRange& blocks) override;
  absl::Status ZeroBlocks(const dax::ExtentLocks& locks, const ByteRange& blocks,
                          uint64_t size) override;
  absl::Status CollapseBlocks(const dax::ExtentLocks& locks, const ByteRange& blocks) override;
  absl::Status InsertBlocks(const dax::ExtentLocks& locks, const ByteRange& blocks) override;
  absl::Status ChangeSize(const dax::ExtentLocks& locks, uint64_t size) override;
  absl::Status ShareBlocks(const dax::ExtentLocks& locks, dax::File& source, uint64_t source_offset,
                           const ByteRange& blocks, uint64_t size) override;

 private:
  class Change;  // a reservation

  // Whether a mapping that is committed may make the file longer.
  enum class Growth { kAllowed, kForbidden };

  absl::StatusOr<WriteMapping> MapForStore(const ByteRange& range, Growth growth)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(inode_->map);
  absl::Status MoveInlineDataOut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(inode_->map);
  // Removes what lies in `blocks`, and gives it back once nobody can be reading it unnoticed.
  void Free(const ByteRange& blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(inode_->map);
  // Fills the holes of `blocks` with unwritten extents, or changes nothing.
  absl::Status FillHoles(const ByteRange& blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(inode_->map);
  // Gives the file blocks of its own, unwritten, in the place of shared ones, or changes nothing.
  absl::Status ReplaceShared(const ByteRange& blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(inode_->map);

  const std::shared_ptr<Inode> inode_;
};

}  // namespace iomap::ram
