#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "iomap/attributes.h"
#include "iomap/byte_range.h"
#include "iomap/mapping.h"

namespace iomap {

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

 private:
  const InodeNumber inode_;
};

}  // namespace iomap
