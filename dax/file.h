#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/address_space.h"
#include "dax/device.h"
#include "dax/freeze_gate.h"
#include "iomap/file.h"

namespace iomap::dax {

// Both locks of a file, exclusively, with nobody left who reaches the pages in question but through
// page tables: what extents are changed under.
struct ExtentLocks {
  IoExclusive io;
  InvalidateExclusive invalidate;
};

// What the files of one file system share.
struct FileOptions {
  AddressSpaceFactory make_address_space = &MakeAddressSpace;
  FreezeGate* freeze_gate = nullptr;  // of a file system that can be frozen
};

// A file whose bytes lie on devices of this process: what a backend with an on-disk format derives
// from.
//
// A backend that writes overrides the methods below "for backends", each of which is one
// transaction. What must happen around them (locks, waiting for pins, write-back, eviction, zeroing
// parts of blocks) is done here, once, the same for all: Fallocate, SetSize, CloneRange, Fsync.
//
// Thread-safety and errors: iomap::File.
class File : public iomap::File {
 public:
  // `devices` outlives the file.
  File(InodeNumber inode, const DeviceSet& devices, const FileOptions& options = {});
  ~File() override;

  // The devices that Mapping::device counts.
  const DeviceSet& devices() const { return devices_; }
  FreezeGate* freeze_gate() const { return options_.freeze_gate; }

  // The pages of this file that are mapped. Made when first asked for.
  AddressSpace& address_space();

  absl::Status Fallocate(FallocateMode mode, const ByteRange& range) final;
  absl::Status SetSize(uint64_t size) final;
  absl::Status CloneRange(iomap::File& source, uint64_t source_offset,
                          const ByteRange& target) final;

  // fsync(2), fdatasync(2), and msync(2) of a mapped range. The error of a write-back that nobody
  // has been told of (AddressSpace::CheckErrors) is reported to whoever holds `error_cursor`, or to
  // the first who comes without one.
  absl::Status Fsync(const ByteRange& range, SyncKind kind) final;
  absl::Status Fsync(const ByteRange& range, SyncKind kind, uint64_t& error_cursor);

  // The same for who holds the invalidate lock: page faults that must be durable, changes of
  // extents, grants. The commit is waited for with the lock held.
  absl::Status FsyncLocked(const InvalidateHeld& invalidate, const ByteRange& range, SyncKind kind);

  // For who has made the file larger: page tables that had refused pages behind its old end ask
  // again.
  absl::Status AfterGrowth(uint64_t old_size, uint64_t new_size);

  // Stores through page tables that note them, and let them pass, fault from now on until their
  // faults are resolved: for who has closed the freeze gate.
  absl::Status TrapStores();

  // What sync(2) does for one file, and the last close: without the invalidate lock, so that page
  // faults of a file that has much to flush do not wait.
  absl::Status SyncUnlocked();

  // The mapping that a store to `pages` needs, whole pages that begin before the end of file: as
  // MapForWrite, but without a change of size, and perhaps with an entry's lock held.
  virtual absl::StatusOr<WriteMapping> MapForFault(const InvalidateHeld& invalidate,
                                                   const ByteRange& pages);

  // Bytes: what extents are made of; a power of two.
  virtual uint64_t block_size() const { return kPageBytes; }

  // The blocks that `range` touches.
  ByteRange Blocks(const ByteRange& range) const { return range.AlignOutward(block_size()); }

 protected:
  // For backends: changes of extents, each in one transaction. `blocks` are whole blocks, and no
  // page of theirs is mapped (but by AllocateBlocks); `size` is the file's size afterwards.
  //
  // Holes become unwritten.
  virtual absl::Status AllocateBlocks(const ExtentLocks& locks, const ByteRange& blocks,
                                      uint64_t size);
  // All become holes.
  virtual absl::Status FreeBlocks(const ExtentLocks& locks, const ByteRange& blocks);
  // All become unwritten.
  virtual absl::Status ZeroBlocks(const ExtentLocks& locks, const ByteRange& blocks, uint64_t size);
  virtual absl::Status CollapseBlocks(const ExtentLocks& locks, const ByteRange& blocks);
  virtual absl::Status InsertBlocks(const ExtentLocks& locks, const ByteRange& blocks);
  // Blocks past the last one of the new size become holes.
  virtual absl::Status ChangeSize(const ExtentLocks& locks, uint64_t size);
  // `blocks` become those of `source`, locked in the same way, at `source_offset`, shared.
  virtual absl::Status ShareBlocks(const ExtentLocks& locks, File& source, uint64_t source_offset,
                                   const ByteRange& blocks, uint64_t size);

  // For backends: metadata. A number that stands for all changes of this file so far, and the wait
  // for them to be durable, which costs nothing when they are.
  virtual uint64_t LatestChange(SyncKind kind);
  virtual absl::Status CommitUpTo(uint64_t change);

 private:
  friend class ExtentChange;

  absl::Status WriteBack(const ByteRange& range);
  absl::StatusOr<bool> TryCloneRange(File& source, const ByteRange& from, const ByteRange& target);
  absl::Status CheckClone(const File& source, uint64_t source_size, const ByteRange& from,
                          uint64_t size, const ByteRange& target) const;

  const DeviceSet& devices_;
  const FileOptions options_;
  std::once_flag address_space_made_;
  std::unique_ptr<AddressSpace> owned_address_space_;
  std::atomic<AddressSpace*> address_space_ = nullptr;
  std::atomic<uint64_t> error_cursor_ = 0;
};

// Makes a file that is synced before its last holder's end destroys it: nothing that was stored is
// lost with the last close.
template <typename Concrete, typename... Arguments>
std::shared_ptr<Concrete> MakeFile(Arguments&&... arguments) {
  return std::shared_ptr<Concrete>(new Concrete(std::forward<Arguments>(arguments)...),
                                   [](Concrete* file) {
                                     // Nobody is left to be told; what failed stays as it was.
                                     file->SyncUnlocked().IgnoreError();
                                     delete file;
                                   });
}

}  // namespace iomap::dax
