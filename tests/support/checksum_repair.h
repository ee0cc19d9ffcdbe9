#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dax/filesystem.h"
#include "tests/support/metadata_blocks.h"

namespace iomap::tests {

// Makes the checksums in a changed block right again, so that the checks behind them are met.
using Repair = std::function<void(absl::Span<std::byte> changed)>;

// Knows where the checksums of an image lie and what they count.
class ChecksumRepair {
 public:
  virtual ~ChecksumRepair() = default;

  // What repairs `block` after a change. `bytes` are its undamaged bytes: only checksums that are
  // right now are kept so. Does nothing where the format has none.
  virtual Repair For(const MetadataBlock& block, absl::Span<const std::byte> bytes) const = 0;

  // `filesystem` is the undamaged image at `image_path`, which is read here alone.
  static absl::StatusOr<std::unique_ptr<ChecksumRepair>> Make(const std::string& image_path,
                                                              dax::Filesystem& filesystem);
};

}  // namespace iomap::tests
