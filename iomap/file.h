#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "iomap/attributes.h"
#include "iomap/byte_range.h"
#include "iomap/file_locks.h"
#include "iomap/mapping.h"
#include "iomap/write_mapping.h"

namespace iomap {

// What fallocate(2) is asked for. "KeepSize": the file's size stays what it is.
enum class FallocateMode : uint8_t {
  kAllocate,          // holes become unwritten
  kAllocateKeepSize,  // the same, also past the end of file
  kPunchHole,         // whole blocks become holes, parts of blocks zeros
  kZeroRange,         // reads as zeros, and is allocated
  kZeroRangeKeepSize,
  kCollapseRange,  // takes the range out; what follows moves down
  kInsertRange,    // puts a hole in; what follows moves up
  kUnshareRange,   // shared bytes become the file's own
};

// "allocate", "punch hole", ...
absl::string_view FallocateModeName(FallocateMode mode);

// fsync(2), or fdatasync(2): which leaves out what is not needed to find the bytes again.
enum class SyncKind : uint8_t { kFile, kData };

// One inode in memory: the half of the plug-in interface that answers "where are this file's
// bytes?".
//
// Two methods are compulsory, attributes() and MapForRead(). The others have a capability bit (see
// Capability in filesystem.h); a backend that does not set the bit leaves the default, which
// answers Unimplemented or, for MapForReport, what MapForRead says.
//
// Callers do not use the mapping methods alone: they go through ForEachMapping
// (for_each_mapping.h), which checks every answer. Safe for concurrent use.
//
// Errors: DataLoss for damage on the medium, with place and value; FailedPrecondition for a file
// that cannot be mapped for what it is (encrypted); Unimplemented for what the backend cannot do.
class File {
 public:
  explicit File(InodeNumber inode) : inode_(inode) {}
  virtual ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  InodeNumber inode() const { return inode_; }

  virtual absl::StatusOr<Attributes> attributes() = 0;

  // Fills `out` with mappings in order and without gaps, the first being the one that holds
  // `range.offset`, and returns how many. At least one; `range` is not empty and `out` has
  // room; a short answer is legal. A hole is written, never inferred from silence, and what lies
  // past the end of the file is a hole unless blocks are allocated there. The first may begin
  // before the range, the last may end behind it. Allocates nothing in the file system.
  virtual absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) = 0;

  // The same for reports (FIEMAP): adds what a reader does not need, kShared above all.
  virtual absl::StatusOr<size_t> MapForReport(const ByteRange& range, absl::Span<Mapping> out);

  // Copies bytes of an inline mapping, from file offset `offset` on, to `out`. OutOfRange when the
  // inline data ends before `out` is full.
  virtual absl::Status ReadInline(uint64_t offset, absl::Span<std::byte> out);

  // Where the first bytes of `range`, at least one, may be written: an answer may be short, never
  // empty. ResourceExhausted when there is no space. See write_mapping.h.
  virtual absl::StatusOr<WriteMapping> MapForWrite(const IoExclusive& io, const ByteRange& range);

  // fallocate(2). Takes the locks that it needs. InvalidArgument where Linux says EINVAL (an
  // unaligned collapse), ResourceExhausted for ENOSPC, with nothing changed.
  virtual absl::Status Fallocate(FallocateMode mode, const ByteRange& range);

  // truncate(2), up or down. Takes the locks that it needs.
  virtual absl::Status SetSize(uint64_t size);

  // FICLONERANGE: `length` bytes from `source_offset` of `source` appear at `offset` of this file,
  // in the same blocks, until one of the two is written. Block-aligned, but for a length that ends
  // at the source's end of file. Takes the locks that it needs, of both files.
  virtual absl::Status CloneRange(File& source, uint64_t source_offset, const ByteRange& target);

  // fsync(2) of a range: when OK returns, the bytes of the range, and what is needed to find them,
  // are durable as they were when the call began, or newer.
  virtual absl::Status Fsync(const ByteRange& range, SyncKind kind);

  FileLocks& locks() { return locks_; }

  // A number that grows whenever bytes that were mapped may have moved away. Read it, ask for
  // mappings, use them; what was read is good if UnchangedSince then says true. Not needed under a
  // lock that keeps the mappings true.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  bool UnchangedSince(uint64_t generation) const;

 protected:
  // Under the map lock, before freed blocks are given away.
  void AdvanceGeneration() { generation_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  const InodeNumber inode_;
  FileLocks locks_;
  std::atomic<uint64_t> generation_ = 0;
};

}  // namespace iomap
