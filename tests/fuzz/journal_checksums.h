#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dax/device.h"
#include "dax/filesystem.h"
#include "iomap/byte_range.h"

namespace iomap::tests {

class BaseImage;

// Knows the records of the journal of an image, and makes their checksums right again after a
// change. Of jbd2: its superblock, descriptors with their tags, revoke and commit blocks, and in
// the copies of metadata the checksums of that metadata. Of XFS: the records of the log.
class JournalChecksums {
 public:
  virtual ~JournalChecksums() = default;

  // Repairs what counts any byte of `changed` on `device`, the changed image.
  virtual absl::Status Repair(const ByteRange& changed, dax::Device& device) const = 0;

  // `device` and `filesystem` are the unchanged image; `base`, which knows its metadata, outlives
  // the result.
  static absl::StatusOr<std::unique_ptr<JournalChecksums>> ForExt4(const dax::Device& device,
                                                                   dax::Filesystem& filesystem,
                                                                   const BaseImage& base);
  static absl::StatusOr<std::unique_ptr<JournalChecksums>> ForXfs(const dax::Device& device);
};

}  // namespace iomap::tests
